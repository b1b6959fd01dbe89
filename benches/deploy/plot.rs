//! Draws what `growth` printed: a picture for each walk, time above memory, all axes logarithmic.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::growth::{HEAD, WALKS};

/// The acts with a colour each that is seen on light and dark pages, in the order of the legend.
const ACTS: [(&str, &str); 8] = [
    ("first deploy", "#d1242f"),
    ("all changed", "#bc4c00"),
    ("rollback of all", "#bf3989"),
    ("one changed", "#bf8700"),
    ("verify", "#8250df"),
    ("rollback", "#1b7c83"),
    ("show", "#0969da"),
    ("nothing to do", "#1a7f37"),
];
/// The colour of axes and text, which is seen on both too.
const GREY: &str = "#768390";
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 620.0;
/// Left and right of the fields.
const SIDES: (f64, f64) = (76.0, 470.0);

/// One act at one number.
struct Cell {
    walk: String,
    number: f64,
    act: String,
    /// Milliseconds and megabytes, as far as they were measured.
    values: [Option<f64>; 2],
}

/// What is drawn of the cells.
struct Field {
    /// Which of the values.
    value: usize,
    title: &'static str,
    units: [&'static str; 2],
    top: f64,
    bottom: f64,
}

const FIELDS: [Field; 2] = [
    Field { value: 0, title: "time of the process", units: ["ms", "s"], top: 34.0, bottom: 320.0 },
    Field { value: 1, title: "most memory", units: ["MB", "GB"], top: 384.0, bottom: 560.0 },
];

/// Writes `growth-files.svg` and its siblings to `folder`.
pub(crate) fn draw(csv: &Path, folder: &Path) {
    let text =
        fs::read_to_string(csv).unwrap_or_else(|error| panic!("cannot read {}: {error}", csv.display()));
    let cells: Vec<Cell> = text.lines().filter_map(cell).collect();
    assert!(!cells.is_empty(), "{} has no rows of `{HEAD}`", csv.display());
    for walk in WALKS {
        let along: Vec<&Cell> = cells.iter().filter(|cell| cell.walk == walk).collect();
        if along.is_empty() {
            continue;
        }
        let path = folder.join(format!("growth-{walk}.svg"));
        fs::write(&path, picture(walk, &along))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        println!("{}", path.display());
    }
}

fn cell(line: &str) -> Option<Cell> {
    let [walk, number, act, time, memory] = line.split(',').collect::<Vec<_>>()[..] else { return None };
    let number = number.parse().ok()?;
    let values = [time.parse().ok(), memory.parse().ok()];
    Some(Cell { walk: walk.to_owned(), number, act: act.to_owned(), values })
}

/// A logarithmic scale that maps whole powers of ten around `values` to `from..to`.
struct Scale {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).max(0.1).log10().floor() as i32;
        let high = values.fold(0.0, f64::max).max(0.1).log10().ceil() as i32;
        Self { low, high: high.max(low + 1), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.max(0.1).log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        (self.low..=self.high).map(|power| (10_f64.powi(power), self.at(10_f64.powi(power))))
    }
}

fn picture(walk: &str, cells: &[&Cell]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"{GREY}\">\n<title>time and memory of each act by number of {walk}</title>\n"
    );
    let across = Scale::of(cells.iter().map(|cell| cell.number), SIDES.0, SIDES.1);
    for field in &FIELDS {
        field.draw(&mut svg, &across, cells);
    }
    let acts = ACTS.iter().filter(|(act, _)| cells.iter().any(|cell| cell.act == *act));
    let mut y = FIELDS[0].top + 8.0;
    for (act, colour) in acts {
        legend(&mut svg, y, act, &format!("stroke=\"{colour}\" stroke-width=\"2\""));
        y += 20.0;
    }
    legend(&mut svg, y, "in proportion", SLOPE);
    let (middle, bottom) = (f64::midpoint(SIDES.0, SIDES.1), HEIGHT - 16.0);
    let label = if walk == "versions" { "stored versions" } else { walk };
    let _ = writeln!(
        svg,
        "<text x=\"{middle:.1}\" y=\"{bottom:.1}\" text-anchor=\"middle\">{label}</text>\n</svg>"
    );
    svg
}

/// How a line of what grows in proportion is drawn.
const SLOPE: &str = "stroke=\"#768390\" stroke-dasharray=\"3 4\"";

fn legend(svg: &mut String, y: f64, text: &str, stroke: &str) {
    let (line, words) = (SIDES.1 + 22.0, SIDES.1 + 44.0);
    let _ = writeln!(
        svg,
        "<path d=\"M{line} {:.1}h16\" {stroke}/><text x=\"{words}\" y=\"{y:.1}\">{text}</text>",
        y - 4.0
    );
}

impl Field {
    fn draw(&self, svg: &mut String, across: &Scale, cells: &[&Cell]) {
        let (left, right) = SIDES;
        let Self { value, title, units: [unit, thousand], top, bottom } = *self;
        let measured = || cells.iter().filter_map(|cell| cell.values[value]);
        if measured().next().is_none() {
            return;
        }
        let up = Scale::of(measured().collect::<Vec<_>>().into_iter(), bottom, top);
        let _ = writeln!(svg, "<text x=\"{left}\" y=\"{:.1}\">{title}</text>", top - 14.0);
        for (number, x) in across.ticks() {
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"{GREY}55\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                grouped(number)
            );
        }
        for (number, y) in up.ticks() {
            let text = if number < 1000.0 {
                format!("{number} {unit}")
            } else {
                format!("{} {thousand}", number / 1e3)
            };
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {y:.1}H{right}\" stroke=\"{GREY}55\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                left - 6.0,
                y + 4.0
            );
        }
        // From corner to corner of as many powers of ten as both axes have.
        let powers = (across.high - across.low).min(up.high - up.low);
        let (x, y) = (across.at(10_f64.powi(across.low + powers)), up.at(10_f64.powi(up.low + powers)));
        let _ = writeln!(svg, "<path d=\"M{left} {bottom}L{x:.1} {y:.1}\" {SLOPE}/>");
        for (act, colour) in ACTS {
            let of_act = cells.iter().filter(|cell| cell.act == act);
            let mut points: Vec<(f64, f64)> =
                of_act.filter_map(|cell| Some((cell.number, cell.values[value]?))).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let places = points.iter().map(|(number, value)| (across.at(*number), up.at(*value)));
            let line: Vec<String> = places.clone().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                line.join(" ")
            );
            for (x, y) in places {
                let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
            }
            svg.push('\n');
        }
    }
}

/// A power of ten as people read it: `10,000`.
fn grouped(number: f64) -> String {
    if number < 1000.0 { format!("{number}") } else { format!("{},000", number / 1e3) }
}
