//! Words: the known one that a misspelt one was probably meant to be, and plurals.

/// The nearest of `known` to `word`, if any is near enough to be a slip: a third of its letters at most,
/// whatever their case.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // The distance costs the product of the lengths, and nobody mistypes a name into a page.
    if word.len() > 64 {
        return None;
    }
    let folded = word.to_lowercase();
    known
        .into_iter()
        .filter(|&known| known != word)
        .map(|known| (strsim::damerau_levenshtein(&folded, &known.to_lowercase()), known))
        .filter(|&(distance, known)| distance <= (known.chars().count() / 3).clamp(1, 3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, known)| known)
}

/// `1 version`, `2 versions`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_mended_and_a_stranger_is_not() {
        let known = ["destination", "keep", "match", "ROOT", "DEPLOY_ROOT", "ENV"];
        for (word, meant) in [
            ("destinaton", Some("destination")),
            ("Keep", Some("keep")),
            ("mathc", Some("match")),
            ("DEPLOY_ROTO", Some("DEPLOY_ROOT")),
            ("EN", Some("ENV")),
            ("colour", None),
            ("USERNAME", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"keep".repeat(1000), known), None);
    }
}
