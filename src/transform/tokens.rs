//! `replace_tokens`: text for text, in every text file.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

use super::StepError;
use super::function::TokenOptions;
use super::scope::Scope;
use super::tree::{Content, Rewrite, Source};

/// The tokens, and what takes their place.
///
/// distman replaces one token after the other, so that a value can be replaced again and a token inside a longer
/// one wins. Here a file is gone through once, and the longest token at a place wins.
pub(super) struct Tokens {
    search: AhoCorasick,
    values: Vec<String>,
}

impl Tokens {
    pub(super) fn new(options: &TokenOptions, scope: &Scope<'_>) -> Result<Self, StepError> {
        if options.tokens.contains_key("") {
            return Err(StepError::EmptyToken);
        }
        let search = search(options.tokens.keys()).map_err(StepError::Tokens)?;
        let values = options.tokens.values().map(|value| scope.fill(value)).collect::<Result<_, _>>()?;
        Ok(Self { search, values })
    }

    fn replace(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut replaced = Vec::new();
        let mut end = 0;
        for found in self.search.find_iter(text) {
            replaced.extend_from_slice(&text[end..found.start()]);
            replaced.extend_from_slice(self.values[found.pattern().as_usize()].as_bytes());
            end = found.end();
        }
        if end == 0 {
            return None;
        }
        replaced.extend_from_slice(&text[end..]);
        Some(replaced)
    }
}

fn search(tokens: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<AhoCorasick, BuildError> {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(tokens)
}

impl Rewrite for Tokens {
    fn content(&mut self, source: &Source<'_>) -> Result<Content, StepError> {
        let replaced = source.text()?.and_then(|text| self.replace(&text));
        Ok(replaced.map_or(Content::Same, Content::Bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_gone_through_once() {
        let pairs = [("__V__", "1.2"), ("__V__LONG", "long"), ("@A@", "@B@"), ("@B@", "@A@"), ("ü", "")];
        let tokens = Tokens {
            search: search(pairs.map(|(token, _)| token)).unwrap(),
            values: pairs.map(|(_, value)| value.to_owned()).to_vec(),
        };
        for (text, replaced) in [
            (&b"v = '__V__'\r\n__V____V__"[..], Some(&b"v = '1.2'\r\n1.21.2"[..])),
            (b"__V__LONG", Some(b"long")),
            (b"@A@@B@", Some(b"@B@@A@")),
            (b"\xff__V__\xfe", Some(b"\xff1.2\xfe")),
            ("aüb".as_bytes(), Some(b"ab")),
            (b"__v__", None),
            (b"", None),
        ] {
            assert_eq!(tokens.replace(text).as_deref(), replaced);
        }
    }
}
