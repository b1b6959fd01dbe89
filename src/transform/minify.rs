//! `minify`: style sheets, scripts, pages and texts without what only people read.
//!
//! html-minifier does the work, for pages and for the scripts and style sheets in them; a script or style sheet
//! of its own is passed through it as the content of its element. It only takes away comments and white space,
//! as distman's libraries do, and leaves what it cannot be sure about.

use std::path::Path;

use bstr::ByteSlice as _;
use html_minifier::{HTMLMinifier, HTMLMinifierError};

use super::StepError;
use super::tree::{Content, Rewrite, Source};

/// What distman takes for binary by its name, and so keeps even where it is `strict`. Files with zero bytes are
/// kept as well.
const BINARY: [&str; 18] = [
    "bin", "bz2", "class", "dll", "exe", "gz", "ico", "jpg", "pdf", "png", "pyc", "pyd", "pyo", "so", "svg",
    "tar", "zip", "jpeg",
];

/// Makes files smaller by the kind that their name says.
pub(super) struct Minify {
    /// Refuse files of other kinds, rather than keep them.
    pub(super) strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Script,
    Module,
    Style,
    Page,
    Text,
}

impl Rewrite for Minify {
    fn content(&mut self, source: &Source<'_>) -> Result<Content, StepError> {
        let extension = extension(source.path);
        if BINARY.contains(&extension.as_str()) {
            return Ok(Content::Same);
        }
        let format = format(&extension);
        if format.is_none() && !self.strict {
            return Ok(Content::Same);
        }
        let Some(text) = source.text()? else { return Ok(Content::Same) };
        let path = || source.path.to_owned();
        let format = format.ok_or_else(|| StepError::NotMinifiable { path: path() })?;
        let minified = minify(format, &text).map_err(|source| StepError::Minify { path: path(), source })?;
        Ok(minified.map_or(Content::Same, Content::Bytes))
    }
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn format(extension: &str) -> Option<Format> {
    match extension {
        "js" | "cjs" => Some(Format::Script),
        "mjs" => Some(Format::Module),
        "css" | "css3" => Some(Format::Style),
        "html" | "htm" => Some(Format::Page),
        "txt" => Some(Format::Text),
        _ => None,
    }
}

/// The smaller text; `None` if `text` has to stay as it is.
fn minify(format: Format, text: &[u8]) -> Result<Option<Vec<u8>>, HTMLMinifierError> {
    // The library takes control characters away, even from strings.
    if format != Format::Text
        && text.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
    {
        return Ok(None);
    }
    match format {
        Format::Script => element("<script>", text, "</script>"),
        Format::Module => element("<script type=module>", text, "</script>"),
        Format::Style => element("<style>", text, "</style>"),
        Format::Page => {
            let mut minifier = HTMLMinifier::new();
            minifier.digest(text)?;
            minifier.into_html().map(Some)
        }
        Format::Text => Ok(Some(bstr::join(" ", text.fields()))),
    }
}

/// Passes `text` through the library as the content of an element.
fn element(open: &str, text: &[u8], close: &str) -> Result<Option<Vec<u8>>, HTMLMinifierError> {
    // Inside a page, these would end the element or change how its end is looked for.
    if text.contains_str("<!--") || text.to_ascii_lowercase().contains_str(close.trim_end_matches('>')) {
        return Ok(None);
    }
    let mut minifier = HTMLMinifier::new();
    for part in [open.as_bytes(), text, close.as_bytes()] {
        minifier.digest(part)?;
    }
    let page = minifier.into_html()?;
    let content = page.strip_prefix(open.as_bytes()).and_then(|rest| rest.strip_suffix(close.as_bytes()));
    Ok(content.map(<[u8]>::to_vec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minified(name: &str, text: &str) -> String {
        let format = format(&extension(Path::new(name))).unwrap();
        let minified = minify(format, text.as_bytes()).unwrap();
        minified.map_or_else(|| text.to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn comments_and_white_space_go_and_meaning_stays() {
        for (name, text, smaller) in [
            ("a.js", "// one\nvar a = 1\nvar b = 2 /* two */\n", "var a=1\nvar b=2"),
            ("a.js", "a = b + ++c; d = e - -f", "a=b+ ++c;d=e- -f"),
            ("a.js", "x = `a  ${ b }  c`; y = /[/'\"]/g", "x=`a  ${b}  c`;y=/[/'\"]/g"),
            ("a.js", "return\nx", "return\nx"),
            ("a.JS", "a = 1", "a=1"),
            ("a.mjs", "import a from 'a'\nexport { a }", "import a from'a'\nexport{a}"),
            ("a.css", "/* c */\na > b { color : red ; }\n", "a>b{color :red;}"),
            ("a.css", "a::after { content: \"a  b\" }", "a::after{content:\"a  b\"}"),
            ("a.css3", "a { width: calc(1px + 2px) }", "a{width:calc(1px + 2px)}"),
            ("a.html", "<p>a   b</p>\n\n<pre> x  y </pre><!-- c -->", "<p>a b</p>\n<pre> x  y </pre>"),
            ("a.htm", "<script> a( 1 ) </script>", "<script>a(1)</script>"),
            ("a.txt", " a\n\n  b\tc\n", "a b c"),
            ("a.js", "", ""),
            ("a.html", "", ""),
        ] {
            assert_eq!(minified(name, text), smaller, "{name}: {text}");
        }
    }

    #[test]
    fn what_is_not_certain_stays() {
        for (name, text) in [
            ("a.js", "document.write('<script>  </script>')"),
            ("a.js", "a  <!--b"),
            ("a.js", "a = '\x1b[0m'  "),
            ("a.css", "a { }  /* </STYLE> */"),
        ] {
            assert_eq!(minified(name, text), text, "{name}: {text}");
        }
        assert_eq!(format(""), None);
        assert_eq!(format("t"), None);
        assert!(minify(Format::Page, b"<script>").is_err());
    }
}
