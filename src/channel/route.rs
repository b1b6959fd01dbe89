//! Which bundles lead to the present release.

use std::collections::HashMap;

use super::{BundleInfo, ChannelError, Manifest};

/// The bundles that lead to the release of `manifest`, in the order in which they are to be used, with the fewest bytes
/// of all that do. `has` says which releases are there already.
///
/// # Errors
/// [`ChannelError::NoRoute`] where the manifest lists none that do.
pub fn route(manifest: &Manifest, has: impl Fn(&str) -> bool) -> Result<Vec<&BundleInfo>, ChannelError> {
    if has(&manifest.release.commit) {
        return Ok(Vec::new());
    }
    // From the oldest to the newest, for each release the cheapest way there. Bundles are listed in that order, so that
    // what leads to a release stands before what leads from it.
    let mut ways: HashMap<&str, (u64, &BundleInfo)> = HashMap::new();
    for bundle in &manifest.bundles {
        let before = match &bundle.from {
            None => Some(0),
            Some(from) if has(from) => Some(0),
            Some(from) => ways.get(from.as_str()).map(|(bytes, _)| *bytes),
        };
        let Some(before) = before else { continue };
        let bytes = before.saturating_add(bundle.size);
        let known = ways.get(bundle.to.as_str()).map(|(bytes, _)| *bytes);
        if known.is_none_or(|known| bytes < known) {
            ways.insert(&bundle.to, (bytes, bundle));
        }
    }
    let mut route = Vec::new();
    let mut at = manifest.release.commit.as_str();
    while let Some((_, bundle)) = ways.remove(at) {
        route.push(bundle);
        match &bundle.from {
            Some(from) if !has(from) => at = from,
            _ => {
                route.reverse();
                return Ok(route);
            }
        }
    }
    Err(ChannelError::NoRoute { channel: manifest.channel.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::example;
    use super::*;

    fn bundle(from: Option<u8>, to: u8, size: u64) -> BundleInfo {
        let id = |number: u8| number.to_string().repeat(40);
        BundleInfo {
            sha256: format!("{}{to}", from.unwrap_or_default()),
            size,
            from: from.map(id),
            to: id(to),
            sequence: u64::from(to),
        }
    }

    #[test]
    fn the_cheapest_way_is_taken() {
        let mut manifest = example();
        manifest.release.commit = "4".repeat(40);
        manifest.bundles = vec![
            bundle(None, 1, 100),
            bundle(Some(1), 2, 5),
            bundle(Some(2), 3, 70),
            bundle(None, 3, 90),
            bundle(Some(3), 4, 5),
        ];
        let route = |has: &[&str]| -> Vec<String> {
            let route = route(&manifest, |id| has.iter().any(|digit| id == digit.repeat(40))).unwrap();
            route.into_iter().map(|bundle| bundle.sha256.clone()).collect()
        };
        assert_eq!(route(&[]), ["03", "34"]);
        assert_eq!(route(&["1"]), ["12", "23", "34"]);
        assert_eq!(route(&["2"]), ["23", "34"]);
        assert_eq!(route(&["3"]), ["34"]);
        assert!(route(&["4"]).is_empty());
    }

    #[test]
    fn a_ring_leads_nowhere() {
        let mut manifest = example();
        manifest.release.commit = "2".repeat(40);
        manifest.bundles = vec![bundle(Some(3), 2, 1), bundle(Some(2), 3, 1), bundle(Some(3), 2, 1)];
        let error = route(&manifest, |_| false).unwrap_err();
        assert!(error.to_string().contains("no bundles that lead"), "{error}");
    }
}
