//! What people read: a page with the ratios first, then each scenario with its table and plots.

use std::{fmt::Write as _, fs, io, path::Path};

use serde::Serialize;

use crate::{Part, Row, Scenario, plot};

/// From which ratio on somebody is said to need more.
const NOTICEABLE: f64 = 1.05;

/// Everything that a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its files are called so.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The day, UTC.
    pub date: String,
    /// See [`crate::machine::describe`].
    pub machine: String,
    /// What was compared, and in which version.
    pub programs: Vec<Program>,
    /// Whose ratios are shown.
    pub subject: &'static str,
    /// Those that every row of a table is compared with.
    pub references: Vec<&'static str>,
    /// In the order shown.
    pub scenarios: Vec<Scenario>,
}

/// One of those compared.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// What its rows are called.
    pub name: &'static str,
    /// As it tells itself; `None` where it is missing and has no rows.
    pub version: Option<String>,
}

impl Report {
    /// Writes NAME.md, NAME.json and the plots into `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{}.md", self.name)), self.markdown())?;
        let json = serde_json::to_string(self).map_err(io::Error::from)?;
        fs::write(folder.join(format!("{}.json", self.name)), json + "\n")?;
        for scenario in &self.scenarios {
            let plot = plot::bars(scenario, self.subject).map_err(io::Error::other)?;
            fs::write(folder.join(self.plot(scenario)), plot)?;
        }
        Ok(())
    }

    fn plot(&self, scenario: &Scenario) -> String {
        format!("{}-{}.svg", self.name, scenario.name)
    }

    /// The page.
    pub fn markdown(&self) -> String {
        let Self { title, date, machine, programs, .. } = self;
        let versions = programs.iter().filter_map(|program| {
            Some(format!("{} {}", program.name, program.version.as_deref()?))
        });
        let versions = versions.collect::<Vec<_>>().join(" · ");
        let mut text = format!("# {title}\n\n{date} · {machine}  \n{versions}\n");
        let missing = programs.iter().filter(|program| program.version.is_none());
        for Program { name, .. } in missing {
            let _ = writeln!(text, "\n**{name} is missing** and has no rows.");
        }
        text += &self.ratios();
        text += &self.losses();
        for scenario in &self.scenarios {
            text += &self.section(scenario);
        }
        text
    }

    /// The subject's ratio to each of the others, for all that is compared.
    fn ratios(&self) -> String {
        let mut rows = String::new();
        let others = self.programs.iter().filter(|program| {
            program.name != self.subject
                && self.scenarios.iter().any(|scenario| scenario.row(program.name).is_some())
        });
        let others: Vec<_> = others.map(|program| program.name).collect();
        for scenario in &self.scenarios {
            let Some(own) = scenario.row(self.subject) else { continue };
            for (number, column) in scenario.compared() {
                let cells = others.iter().map(|name| {
                    let ratio = scenario.row(name).and_then(|row| own.ratio(row, number));
                    format!(" {} |", cell(ratio.map(|ratio| format!("{ratio:.2}"))))
                });
                let cells: String = cells.collect();
                let _ = writeln!(rows, "| {}: {} |{cells}", scenario.title, column.name);
            }
        }
        if rows.is_empty() {
            return rows;
        }
        let subject = self.subject;
        let head: String = others.iter().map(|name| format!(" × {name} |")).collect();
        let line = "---|".repeat(others.len());
        format!(
            "\n## {subject}'s ratio to the others\n\nBelow 1, {subject} needs less.\n\n| |{head}\n|---|{line}\n{rows}"
        )
    }

    /// What anybody needs less of than the subject.
    fn losses(&self) -> String {
        let mut lines = String::new();
        for scenario in &self.scenarios {
            let Some(own) = scenario.row(self.subject) else { continue };
            for (number, column) in scenario.weighed() {
                let better = scenario.rows.iter().filter(|row| row.compared).filter_map(|row| {
                    let ratio = own.ratio(row, number).filter(|ratio| *ratio > NOTICEABLE)?;
                    Some(format!("{ratio:.2} × {}", row.name))
                });
                let better = better.collect::<Vec<_>>().join(", ");
                if !better.is_empty() {
                    let _ = writeln!(lines, "* {}, {}: {better}", scenario.title, column.name);
                }
            }
        }
        if lines.is_empty() {
            return lines;
        }
        format!("\n## Where {} loses\n\n{lines}", self.subject)
    }

    fn section(&self, scenario: &Scenario) -> String {
        let Scenario { title, setting, columns, rows, .. } = scenario;
        let mut text = format!("\n## {title}\n\n{setting}\n\n");
        let references: Vec<_> =
            self.references.iter().filter_map(|name| scenario.row(name)).collect();
        text += "| |";
        for column in columns {
            let _ = write!(text, " {} |", column.name);
            if column.part == Part::Compared {
                references.iter().for_each(|row| text += &format!(" × {} |", row.name));
            }
        }
        let cells = columns.len() + scenario.compared().count() * references.len();
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(cells));
        for row in rows {
            let _ = write!(text, "| {} |", row.name);
            for (number, column) in columns.iter().enumerate() {
                let _ = write!(text, " {} |", cell(shown(row, number, column.digits)));
                if column.part == Part::Compared {
                    for reference in &references {
                        let ratio = row.ratio(reference, number).filter(|_| row.compared);
                        let ratio = cell(ratio.map(|ratio| format!("{ratio:.2}")));
                        let _ = write!(text, " {ratio} |");
                    }
                }
            }
            text.push('\n');
        }
        let _ = writeln!(text, "\n![{title}]({})", self.plot(scenario));
        text
    }
}

/// The median, and the smallest and largest where there is more than one sample.
fn shown(row: &Row, column: usize, digits: usize) -> Option<String> {
    let spread = row.spread(column)?;
    let (median, least, most) = (spread.median, spread.least, spread.most);
    Some(if row.samples.len() > 1 {
        format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
    } else {
        format!("{median:.digits$}")
    })
}

fn cell(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    fn report() -> Report {
        let row = |name: &str, cpu: [f64; 3]| Row {
            samples: cpu.map(|cpu| vec![cpu, 10.0 * cpu, cpu]).into(),
            ..Row::new(name)
        };
        let none = Row { compared: false, ..row("no proxy", [1.0, 1.0, 1.0]) };
        Report {
            name: "edge",
            title: "Edge",
            date: "2025-01-01".to_owned(),
            machine: "Abacus".to_owned(),
            programs: [("nginx", Some("1.22")), ("Envoy", None), ("Fairlead", Some("0.1"))]
                .map(|(name, version)| Program { name, version: version.map(str::to_owned) })
                .into(),
            subject: "Fairlead",
            references: vec!["nginx"],
            scenarios: vec![Scenario {
                name: "h1-plain",
                title: "HTTP/1.1".to_owned(),
                setting: "Small answers.".to_owned(),
                columns: vec![
                    Column::compared("CPU µs", 1),
                    Column::weighed("p50 µs", 0),
                    Column::beside("load, %", 0),
                ],
                rows: vec![
                    none,
                    row("nginx", [12.0, 10.0, 11.0]),
                    row("Fairlead", [24.0, 20.0, 33.0]),
                ],
            }],
        }
    }

    #[test]
    fn the_page_has_ratios_losses_and_a_table_with_spreads() {
        assert_eq!(
            report().markdown(),
            "# Edge

2025-01-01 · Abacus  
nginx 1.22 · Fairlead 0.1

**Envoy is missing** and has no rows.

## Fairlead's ratio to the others

Below 1, Fairlead needs less.

| | × nginx |
|---|---|
| HTTP/1.1: CPU µs | 2.00 |

## Where Fairlead loses

* HTTP/1.1, CPU µs: 2.00 × nginx
* HTTP/1.1, p50 µs: 2.00 × nginx

## HTTP/1.1

Small answers.

| | CPU µs | × nginx | p50 µs | load, % |
|---|---|---|---|---|
| no proxy | 1.0 (1.0–1.0) | – | 10 (10–10) | 1 (1–1) |
| nginx | 11.0 (10.0–12.0) | 1.00 | 110 (100–120) | 11 (10–12) |
| Fairlead | 24.0 (20.0–33.0) | 2.00 | 240 (200–330) | 24 (20–33) |

![HTTP/1.1](edge-h1-plain.svg)
"
        );
    }

    #[test]
    fn page_figures_and_plots_are_written() {
        let folder = tempfile::tempdir().unwrap();
        report().write(folder.path()).unwrap();
        let read = |file| fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(read("edge.md"), report().markdown());
        let json: serde_json::Value = serde_json::from_str(&read("edge.json")).unwrap();
        assert_eq!(json["scenarios"][0]["rows"][2]["samples"][2][0], 33.0);
        let plot = read("edge-h1-plain.svg");
        assert!(plot.starts_with("<svg") && plot.contains("Fairlead"), "{plot}");
    }
}
