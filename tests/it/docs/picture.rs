//! docs/img/demo.svg: a session that is run here, drawn as a terminal shows it.

use std::fmt::Write as _;

use super::session::{Session, is_same};
use super::{assert_generated, read};

/// What happens before the picture begins.
const BEFORE: &str = "\
git init -q tool && cd tool
printf 'echo hello\\n' >hello && chmod +x hello
printf '{ \"version\": 1, \"targets\": {\\n' >dist.json
printf '  \"hello\": { \"source\": \"hello\", \"destination\": \"{DEPLOY_ROOT}/bin/hello\" } } }\\n' >>dist.json
git add . && git commit -qm 'Say hello'";

/// What the picture shows.
const SHOWN: [&str; 7] = [
    "git dist",
    "sed -i s/hello/HELLO/ hello && git commit -qam 'Say it louder'",
    "git dist diff",
    "git dist",
    "git dist rollback -m 'too loud'",
    "git dist verify",
    "git dist log",
];

#[test]
fn the_picture_is_of_a_session_that_happened() {
    let name = "docs/img/demo.svg";
    let mut session = Session::new();
    session.run(BEFORE);
    let lines: Vec<String> = SHOWN
        .iter()
        .flat_map(|command| {
            let output = session.run(&command.replace("git dist", "git dist --color always"));
            let prompt = format!("\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m");
            std::iter::once(prompt).chain(output.lines().map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect();
    let svg = svg(&lines);
    // The times of a new recording alone do not make it another picture.
    if !path_exists(name) || !is_same(&read(name), &svg) {
        assert_generated(name, &svg);
    }
}

fn path_exists(name: &str) -> bool {
    super::path(name).exists()
}

/// Sizes in pixels: a line, a character, the space around the text.
const LINE: usize = 20;
const CHARACTER: f32 = 8.1;
const MARGIN: usize = 20;

/// A drawing of `lines`, which hold the terminal's colours.
fn svg(lines: &[String]) -> String {
    let texts: Vec<Vec<Span>> = lines.iter().map(|line| spans(line)).collect();
    let columns = texts.iter().map(|spans| spans.iter().map(|span| span.text.chars().count()).sum());
    let columns: u16 = columns.max().and_then(|columns: usize| columns.try_into().ok()).unwrap_or(80);
    let width = (f32::from(columns) * CHARACTER).ceil() + 2.0 * 20.0;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\">\n\
         <title>git dist deploys a commit, its successor, and goes back</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"13.5\" fill=\"#c9d1d9\" xml:space=\"preserve\">\n"
    );
    for (number, spans) in texts.iter().enumerate() {
        let y = MARGIN + number * LINE + 14;
        let _ = write!(svg, "<text x=\"{MARGIN}\" y=\"{y}\">");
        for span in spans {
            let text = span.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            match span.style {
                "" => svg.push_str(&text),
                style => {
                    let _ = write!(svg, "<tspan {style}>{text}</tspan>");
                }
            }
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Text in one style.
struct Span {
    text: String,
    style: &'static str,
}

/// Splits a line at its escape sequences.
fn spans(line: &str) -> Vec<Span> {
    let mut style = "";
    let mut spans = Vec::new();
    for (index, part) in line.split("\x1b[").enumerate() {
        let text = match part.split_once('m') {
            Some((code, text)) if index > 0 => {
                style = attributes(code);
                text
            }
            _ => part,
        };
        if !text.is_empty() {
            spans.push(Span { text: text.to_owned(), style });
        }
    }
    spans
}

/// The attributes of a `tspan` for an escape code of the printer.
fn attributes(code: &str) -> &'static str {
    match code {
        "0" | "39" | "22" => "",
        "1" => "font-weight=\"bold\" fill=\"#f0f6fc\"",
        "2" => "fill=\"#6e7681\"",
        "31" | "31;1" | "1;31" => "font-weight=\"bold\" fill=\"#ff7b72\"",
        "32" => "fill=\"#3fb950\"",
        "33" | "33;1" | "1;33" => "fill=\"#d29922\"",
        "36" => "fill=\"#39c5cf\"",
        other => panic!("unknown escape code {other}"),
    }
}
