//! The table that people read.

use std::fmt::Write;

use crate::measure::{Comparison, Row, Sample};

/// The comparison in Markdown: medians over the rounds, smallest and largest in brackets.
pub(crate) fn markdown(comparison: &Comparison) -> String {
    let Comparison { machine, rate, connections, rounds, seconds, rows } = comparison;
    let mut text = format!(
        "HTTP/1.1, 80-byte responses, {rate} requests/s (open loop) over {connections} keep-alive connections; \
         {rounds} rounds of {seconds} s each, in turn; 0 errors.  \n{machine}.\n\n\
         | | CPU µs per request | of it user | × nginx | × bare Pingora | p50 µs | p99 µs | p99.9 µs |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    let cpu = |sample: &Sample| sample.cpu_us;
    let reference = |name: &str| rows.iter().find(|row| row.name == name);
    let ratio = |row: &Row, to: Option<&Row>| {
        // The backend is no proxy: it has no ratio to one.
        let to = to.filter(|_| row.name != "backend")?;
        Some(format!("{:.2}", spread(row, cpu)?.median / spread(to, cpu)?.median))
    };
    for row in rows {
        let show = |value: &dyn Fn(&Sample) -> f64, digits: usize| {
            spread(row, value).map_or_else(
                || "–".to_owned(),
                |Spread { median, least, most }| {
                    format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
                },
            )
        };
        let ratio_to = |name| ratio(row, reference(name)).unwrap_or_else(|| "–".to_owned());
        let name = if row.name == "backend" { "no proxy (backend's CPU)" } else { row.name };
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            show(&cpu, 1),
            show(&|sample| sample.user_us, 1),
            ratio_to("nginx"),
            ratio_to("bare Pingora"),
            show(&|sample| sample.p50_us.into(), 0),
            show(&|sample| sample.p99_us.into(), 0),
            show(&|sample| sample.p999_us.into(), 0),
        );
    }
    text
}

struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

/// `None` without samples.
fn spread(row: &Row, value: impl Fn(&Sample) -> f64) -> Option<Spread> {
    let mut values: Vec<f64> = row.samples.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
    Some(Spread { median, least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians_spreads_and_ratios() {
        let row = |name, cpu: [f64; 3]| Row {
            name,
            samples: cpu
                .map(|cpu_us| Sample {
                    cpu_us,
                    user_us: 1.0,
                    p50_us: 100,
                    p99_us: 200,
                    p999_us: 300,
                })
                .into(),
        };
        let text = markdown(&Comparison {
            machine: "Abacus".to_owned(),
            rate: 10,
            connections: 2,
            rounds: 3,
            seconds: 1,
            rows: vec![
                row("backend", [1.0, 1.0, 1.0]),
                row("nginx", [12.0, 10.0, 11.0]),
                row("bare Pingora", [20.0, 22.0, 21.0]),
                row("Fairlead", [22.0, 22.0, 23.0]),
            ],
        });
        let rows: Vec<_> = text.lines().skip(5).collect();
        assert_eq!(
            rows,
            [
                "| no proxy (backend's CPU) | 1.0 (1.0–1.0) | 1.0 (1.0–1.0) | – | – | 100 (100–100) | 200 (200–200) | 300 (300–300) |",
                "| nginx | 11.0 (10.0–12.0) | 1.0 (1.0–1.0) | 1.00 | 0.52 | 100 (100–100) | 200 (200–200) | 300 (300–300) |",
                "| bare Pingora | 21.0 (20.0–22.0) | 1.0 (1.0–1.0) | 1.91 | 1.00 | 100 (100–100) | 200 (200–200) | 300 (300–300) |",
                "| Fairlead | 22.0 (22.0–23.0) | 1.0 (1.0–1.0) | 2.00 | 1.05 | 100 (100–100) | 200 (200–200) | 300 (300–300) |",
            ]
        );
    }
}
