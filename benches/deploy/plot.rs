//! Draws what `growth` printed: one picture for files, versions and items each, both axes logarithmic.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::growth::HEAD;

/// The acts that are drawn: the column, its name in the legend, and a colour that is seen on light and dark pages.
const ACTS: [(usize, &str, &str); 4] = [
    (3, "first deploy", "#d1242f"),
    (4, "one file changed", "#bf8700"),
    (5, "nothing to do", "#1a7f37"),
    (6, "show", "#0969da"),
];
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
/// Left, right, top and bottom of the field.
const FIELD: (f64, f64, f64, f64) = (64.0, 400.0, 16.0, 272.0);

/// Writes `growth-files.svg` and its siblings to `folder`.
pub(crate) fn draw(csv: &Path, folder: &Path) {
    let text =
        fs::read_to_string(csv).unwrap_or_else(|error| panic!("cannot read {}: {error}", csv.display()));
    let lines = text.lines().skip_while(|line| *line != HEAD).skip(1);
    let number = |cell: &str| cell.parse::<f64>().ok();
    let rows: Vec<Vec<f64>> =
        lines.map_while(|line| line.split(',').map(number).collect::<Option<Vec<_>>>()).collect();
    assert!(!rows.is_empty(), "{} has no line `{HEAD}` with rows below it", csv.display());
    for (axis, name) in ["files", "versions", "items"].into_iter().enumerate() {
        // Along one axis, with the others at their least.
        let least = |column: usize| rows.iter().map(|row| row[column]).fold(f64::INFINITY, f64::min);
        let along = rows.iter().filter(|row| (0..3).all(|other| other == axis || row[other] <= least(other)));
        let path = folder.join(format!("growth-{name}.svg"));
        let picture = picture(name, axis, &along.collect::<Vec<_>>());
        fs::write(&path, picture).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        println!("{}", path.display());
    }
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

fn picture(name: &str, axis: usize, rows: &[&Vec<f64>]) -> String {
    let (left, right, top, bottom) = FIELD;
    let across = Scale::of(rows.iter().map(|row| row[axis]), left, right);
    let times = ACTS.iter().flat_map(|(column, ..)| rows.iter().map(|row| row[*column]));
    let up = Scale::of(times, bottom, top);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#768390\">\n<title>time of a command by number of {name}</title>\n"
    );
    for (value, x) in across.ticks() {
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#76839055\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
            bottom + 16.0
        );
    }
    for (value, y) in up.ticks() {
        let unit = if value < 1000.0 { format!("{value} ms") } else { format!("{} s", value / 1000.0) };
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#76839055\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{unit}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    for (index, (column, act, colour)) in ACTS.iter().enumerate() {
        let points: BTreeMap<u64, f64> = rows.iter().map(|row| (row[axis] as u64, row[*column])).collect();
        let line: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", across.at(*x as f64), up.at(*y))).collect();
        let y = top + 16.0 + 20.0 * index as f64;
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <path d=\"M{} {:.1}h16\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{y:.1}\">{act}</text>",
            line.join(" "),
            right + 16.0,
            y - 4.0,
            right + 38.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>\n</svg>",
        f64::midpoint(left, right),
        HEIGHT - 12.0
    );
    svg
}
