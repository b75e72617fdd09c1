//! Bars, as SVG: the median of each row, and a line from the smallest to the largest; one group of
//! bars for each quantity that is compared.

use plotters::{
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind},
    prelude::{
        IntoDrawingArea as _, IntoFont as _, PathElement, RGBColor, Rectangle, SVGBackend, Text,
        WHITE,
    },
    style::{Color as _, IntoTextStyle as _},
};

use crate::{Scenario, stats::Spread};

/// All in pixels.
const WIDTH: i32 = 760;
const TITLE: i32 = 34;
const ROW: i32 = 26;
const GAP: i32 = 10;
const NAMES: i32 = 260;
const VALUES: i32 = 90;

const TEXT: RGBColor = RGBColor(40, 40, 40);
const LINE: RGBColor = RGBColor(90, 90, 90);
const SUBJECT: RGBColor = RGBColor(32, 107, 163);
const OTHER: RGBColor = RGBColor(176, 190, 204);

/// Why there is no plot: a text has no size. With SVG in memory nothing else can go wrong.
type PlotError = DrawingAreaErrorKind<std::io::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Rows whose name begins with `subject` stand out.
///
/// # Errors
/// None that is known.
pub fn bars(scenario: &Scenario, subject: &str) -> Result<String, PlotError> {
    let groups: Vec<_> = scenario.compared().map(|(number, _)| number).collect();
    let group = TITLE + GAP + ROW * length(&scenario.rows);
    let size = (WIDTH.unsigned_abs(), (group * length(&groups)).unsigned_abs());
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (top, column) in (0..).map(|number| number * group).zip(groups) {
            draw(&area, top, scenario, column, subject)?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn length<T>(list: &[T]) -> i32 {
    i32::try_from(list.len()).unwrap_or(i32::MAX)
}

fn draw(
    area: &Area<'_>,
    top: i32,
    scenario: &Scenario,
    column: usize,
    subject: &str,
) -> Result<(), PlotError> {
    let text = |text: String, place, size: i32| {
        let style = ("sans-serif", size).into_font().color(&TEXT).into_text_style(area);
        area.draw(&Text::new(text, place, style))
    };
    let digits = scenario.columns[column].digits;
    text(format!("{}: {}", scenario.title, scenario.columns[column].name), (8, top + 8), 16)?;
    let spreads = scenario.rows.iter().filter_map(|row| row.spread(column));
    let most = spreads.map(|spread| spread.most).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| NAMES + (value / most * f64::from(WIDTH - NAMES - VALUES)) as i32;
    for (number, row) in (0..).zip(&scenario.rows) {
        let top = top + TITLE + number * ROW;
        text(row.name.clone(), (8, top + 4), 14)?;
        let Some(Spread { median, least, most }) = row.spread(column) else { continue };
        let color = if row.name.starts_with(subject) { SUBJECT } else { OTHER };
        let bar = [(NAMES, top + 3), (x(median), top + ROW - 5)];
        area.draw(&Rectangle::new(bar, color.filled()))?;
        let middle = top + ROW / 2 - 1;
        let range = vec![(x(least), middle), (x(most), middle)];
        area.draw(&PathElement::new(range, LINE.stroke_width(2)))?;
        text(format!("{median:.digits$}"), (x(most) + 6, top + 4), 14)?;
    }
    Ok(())
}
