//! Names for places in a manifest, as a reader would say them: "`keep` of target `bin`".

use jsonc_parser::common::Range;

use super::error::quoted;

/// One step on the way from the root to a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment<'a> {
    /// A member of an object: its key and where that stands.
    Key(&'a str, Range),
    /// An item of a list.
    Item,
}

/// What stands at `path`, as the subject of a sentence.
pub(super) fn subject(path: &[Segment<'_>]) -> String {
    let (mut rest, mut owner) = (path, String::new());
    if let [Segment::Key("targets", _), Segment::Key(name, _), inner @ ..] = rest {
        (rest, owner) = (inner, format!(" of target {}", quoted(name)));
    }
    match rest {
        [Segment::Key("pipeline", _), Segment::Key(name, _), inner @ ..] => {
            (rest, owner) = (inner, format!(" of step {}{owner}", quoted(name)));
        }
        [Segment::Key("options", _), inner @ ..] if !inner.is_empty() => rest = inner,
        _ => {}
    }

    let keys: Vec<&str> = rest
        .iter()
        .filter_map(|segment| match segment {
            Segment::Key(key, _) => Some(*key),
            Segment::Item => None,
        })
        .collect();
    match (keys.is_empty(), rest.last()) {
        (true, _) if owner.is_empty() => "the manifest".to_owned(),
        (true, _) => owner.trim_start_matches(" of ").to_owned(),
        (false, Some(Segment::Item)) => format!("an item of {}{owner}", quoted(&keys.join("."))),
        (false, _) => format!("{}{owner}", quoted(&keys.join("."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_from_the_inside_out() {
        let path = |keys: &[&'static str]| {
            let segments: Vec<_> = keys
                .iter()
                .map(|&key| if key == "#" { Segment::Item } else { Segment::Key(key, Range::new(0, 0)) })
                .collect();
            subject(&segments)
        };
        for (keys, expected) in [
            (&[][..], "the manifest"),
            (&["targets"], "`targets`"),
            (&["options", "keep"], "`keep`"),
            (&["targets", "bin"], "target `bin`"),
            (&["targets", "bin", "source"], "`source` of target `bin`"),
            (&["targets", "bin", "options"], "`options` of target `bin`"),
            (&["targets", "bin", "options", "keep"], "`keep` of target `bin`"),
            (&["targets", "bin", "verify", "#"], "an item of `verify` of target `bin`"),
            (&["pipeline", "min"], "step `min`"),
            (&["targets", "bin", "pipeline", "min", "env", "A"], "`env.A` of step `min` of target `bin`"),
        ] {
            assert_eq!(path(keys), expected);
        }
    }
}
