//! Line ends, `$Id$` and encodings.

use super::{DIR, FILE, assert_like_archive, commit, repository};
use crate::support::Sandbox;

/// Attribute lines, each for the files of one folder.
const LINES: &[&str] = &[
    "",
    "text",
    "-text",
    "text=auto",
    "eol=crlf",
    "eol=lf",
    "text eol=crlf",
    "text eol=lf",
    "text=auto eol=crlf",
    "text=auto eol=lf",
    "-text eol=crlf",
    "text=input eol=crlf",
    "text=bogus eol=crlf",
    "eol=bogus text",
    "eol",
    "-eol text",
    "crlf",
    "-crlf",
    "crlf=input",
    "crlf eol=crlf",
    "crlf=auto eol=crlf",
    "-text crlf eol=crlf",
    "binary",
    "binary eol=crlf",
    "ident",
    "-ident",
    "ident=yes",
    "ident eol=crlf",
    "ident text=auto eol=crlf",
    "ident binary",
];

/// Contents that a conversion treats differently.
const CONTENTS: &[&[u8]] = &[
    b"",
    b"one\ntwo\n",
    b"no line end",
    b"\n",
    b"\r",
    b"dos\r\nlines\r\n",
    b"mixed\r\nlines\n",
    b"lone\rreturn\n",
    b"nul\0byte\n",
    b"end of file\x1a\n\x1a",
    b"\x01\x02\x03\x04\x05\x06\x07\x0e\x0f mostly control\n",
    b"\xff\xfe\x00\n",
    "utf-8 äöü\n".as_bytes(),
    b"latin \xe4\xf6\n",
    b"$Id$\n",
    b"$Id: 0123456789 $ $Id: two words $ $Id:$ $Id\n$ $ID$ $Id: open\n$Id$$Id$",
    b"$Id: 0123456789$\n$Id:\n$\n",
];

#[test]
fn every_line_end_attribute_with_every_kind_of_content() {
    let sandbox = Sandbox::new();
    let attributes: Vec<String> =
        LINES.iter().enumerate().map(|(n, line)| format!("/dir/{n:02}/* {line}\n")).collect();
    let attributes = attributes.concat();
    let mut files = Vec::new();
    for line in 0..LINES.len() {
        for (number, content) in CONTENTS.iter().enumerate() {
            files.push((format!("dir/{line:02}/{number:02}"), *content));
        }
    }
    let mut entries = vec![(FILE, &b".gitattributes"[..], attributes.as_bytes())];
    entries.extend(files.iter().map(|(path, content)| (FILE, path.as_bytes(), *content)));
    let repo = repository(&sandbox, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn encodings() {
    let sandbox = Sandbox::new();
    let attributes = b"*.u8 working-tree-encoding=UTF-8\n\
        *.u16 text working-tree-encoding=UTF-16\n\
        *.u16le text working-tree-encoding=UTF-16LE\n\
        *.u16be text working-tree-encoding=UTF-16BE\n\
        *.u16lebom text eol=crlf working-tree-encoding=UTF-16LE-BOM\n\
        *.u16bebom text eol=crlf working-tree-encoding=UTF-16BE-BOM\n\
        *.lower text working-tree-encoding=utf-16le\n\
        *.short text working-tree-encoding=UTF16\n\
        *.u32 text working-tree-encoding=UTF-32\n\
        *.u32le text working-tree-encoding=UTF-32LE\n\
        *.latin working-tree-encoding=ISO-8859-1\n\
        *.latin15 working-tree-encoding=ISO-8859-15\n\
        *.win working-tree-encoding=windows-1252\n\
        *.cp working-tree-encoding=CP1252\n\
        *.sjis working-tree-encoding=Shift_JIS\n\
        *.sjis2 working-tree-encoding=SHIFT-JIS\n\
        *.euc working-tree-encoding=EUC-JP\n\
        *.koi working-tree-encoding=KOI8-R\n\
        *.gb working-tree-encoding=GB18030\n\
        *.big5 working-tree-encoding=BIG5\n\
        *.none working-tree-encoding=\n\
        *.back !working-tree-encoding\n";
    let mut files: Vec<(String, &[u8])> = Vec::new();
    for suffix in [
        "u8", "u16", "u16le", "u16be", "u16lebom", "u16bebom", "lower", "short", "u32", "u32le", "none",
        "back",
    ] {
        files.push((format!("dir/wide.{suffix}"), "one\nä € 日本 😀\n".as_bytes()));
        files.push((format!("dir/empty.{suffix}"), b""));
        files.push((format!("dir/subst.{suffix}"), b"$Format:%H$ $Id$\n"));
    }
    for suffix in ["latin", "latin15", "win", "cp"] {
        files.push((format!("dir/western.{suffix}"), "äöüß é\n".as_bytes()));
    }
    for suffix in ["latin15", "win", "cp"] {
        files.push((format!("dir/euro.{suffix}"), "€\n".as_bytes()));
    }
    for suffix in ["sjis", "sjis2", "euc"] {
        files.push((format!("dir/japanese.{suffix}"), "日本語 テスト\n".as_bytes()));
    }
    files.push(("dir/russian.koi".into(), "Привет\n".as_bytes()));
    files.push(("dir/chinese.gb".into(), "中文\n".as_bytes()));
    files.push(("dir/chinese.big5".into(), "中文\n".as_bytes()));
    let mut entries = vec![(FILE, &b".gitattributes"[..], &attributes[..])];
    entries.extend(files.iter().map(|(path, content)| (FILE, path.as_bytes(), *content)));
    let repo = repository(&sandbox, DIR, &entries);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn what_cannot_be_encoded_stops_the_run() {
    // git archive writes the content as stored and goes on; a deployment with the wrong bytes is none.
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox, DIR, &[(FILE, b"dir/a", b"fine\n")]);
    repo.dist([]).success();
    let before = sandbox.active("dir");
    for (encoding, content) in [("ISO-8859-1", "€\n".as_bytes()), ("UTF-16", b"\xff\n"), ("klingon", b"a\n")]
    {
        let attributes = format!("x working-tree-encoding={encoding}\n");
        commit(&repo, DIR, &[(FILE, b".gitattributes", attributes.as_bytes()), (FILE, b"dir/x", content)]);
        let told = format!("cannot apply `working-tree-encoding={encoding}` to `dir/x`");
        repo.dist([]).code(1).says(&told);
        assert_eq!(sandbox.active("dir"), before);
    }
}
