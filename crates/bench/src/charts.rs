//! The figures as charts, for the page of the documentation: SVG, which needs no fonts to be drawn.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::figures::{Figures, How, Subject};
use crate::timeline::Timeline;
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// The files, in the order in which the page shows them, and what they are about.
pub(crate) const NAMES: [(&str, &str); 5] = [
    (THROUGHPUT_POSTGRES, "Throughput by connections on PostgreSQL"),
    (THROUGHPUT_SQLITE, "Throughput by connections on SQLite"),
    (LATENCY, "Latency distribution in an open loop on PostgreSQL"),
    (TIMELINE, "Throughput over time"),
    (LAG, "Lag of the projectors over time"),
];
const THROUGHPUT_POSTGRES: &str = "throughput.svg";
const THROUGHPUT_SQLITE: &str = "throughput-sqlite.svg";
const LATENCY: &str = "latency.svg";
const TIMELINE: &str = "timeline.svg";
const LAG: &str = "lag.svg";

const SIZE: (u32, u32) = (900, 480);
/// Told apart by those who see fewer colours, too (Okabe and Ito, "Color universal design", 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 150, 60),
];
/// Percentiles that the latency's curve goes through: beyond them there are too few requests.
const PERCENTILES: [f64; 11] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9];

/// A line of a chart.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// A chart of lines.
struct Chart<'a> {
    title: &'a str,
    /// What stands along the axes, with units.
    axes: [&'a str; 2],
    series: Vec<Series>,
}

/// Writes all charts that there are figures for into `folder`.
pub(crate) fn write(folder: &Path, figures: &Figures, timelines: &[Timeline]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, title) in NAMES {
        if let Some(svg) = draw(name, title, figures, timelines)? {
            let file = folder.join(name);
            std::fs::write(&file, svg).with_context(|| file.display().to_string())?;
        }
    }
    Ok(())
}

/// None where nothing was measured that it would show.
fn draw(
    name: &str,
    title: &str,
    figures: &Figures,
    timelines: &[Timeline],
) -> Result<Option<String>> {
    let connections = ["Connections (logarithmic)", "Commands a second"];
    let (axes, series, x) = match name {
        THROUGHPUT_POSTGRES => {
            (connections, throughput(figures, Kind::Postgres), Axis::Connections)
        }
        THROUGHPUT_SQLITE => (connections, throughput(figures, Kind::Sqlite), Axis::Connections),
        LATENCY => (
            ["Percentile of the requests", "Latency from the intended start, ms"],
            latency(figures),
            Axis::Percentiles,
        ),
        TIMELINE => (
            ["Seconds", "Creates a second"],
            over_time(timelines, |timeline| timeline.rates.clone()),
            Axis::Seconds,
        ),
        _ => (
            ["Seconds", "Events that the slowest projector has not applied"],
            over_time(timelines, |timeline| timeline.lags.clone()),
            Axis::Seconds,
        ),
    };
    if series.is_empty() {
        return Ok(None);
    }
    Chart { title, axes, series }.draw(x).map(Some)
}

#[expect(clippy::cast_precision_loss, reason = "connections are far below 2^53")]
fn throughput(figures: &Figures, kind: Kind) -> Vec<Series> {
    let rows = figures.rows();
    let series = Traffic::ALL.iter().map(|traffic| {
        let rows = rows.iter().filter(|row| {
            let load = row.load;
            (load.part, load.kind, load.subject)
                == (Part::Connections, kind, Subject::Http(*traffic))
        });
        let mut points: Vec<_> =
            rows.map(|row| (row.load.connections as f64, row.median().rate)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series { name: traffic.name().to_owned(), points }
    });
    series.filter(|series| series.points.len() > 1).collect()
}

fn latency(figures: &Figures) -> Vec<Series> {
    let rows = figures.rows();
    let rows = rows.iter().filter(|row| {
        let load = row.load;
        load.part == Part::OpenLoop && load.kind == Kind::Postgres && load.how != How::Closed
    });
    let series = rows.map(|row| {
        let point = |percent: f64| (nines(percent), row.median().percentile_ms(percent));
        Series { name: row.load.name(), points: PERCENTILES.map(point).to_vec() }
    });
    series.collect()
}

fn over_time(timelines: &[Timeline], points: impl Fn(&Timeline) -> Vec<(f64, f64)>) -> Vec<Series> {
    let series = timelines
        .iter()
        .map(|timeline| Series { name: timeline.kind.name().to_owned(), points: points(timeline) });
    series.filter(|series| series.points.len() > 1).collect()
}

/// Where a percentile stands: 90 % at 1, 99 % at 2, 99.9 % at 3, so that the tail has room.
fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).log10()
}

/// The horizontal axis.
#[derive(Debug, Clone, Copy)]
enum Axis {
    Connections,
    Percentiles,
    Seconds,
}

impl Axis {
    /// From which value a place on the axis is worked out, straight.
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Connections => value.log10(),
            Self::Percentiles | Self::Seconds => value,
        }
    }

    fn marks(self, end: f64) -> Vec<f64> {
        match self {
            Self::Connections => {
                [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 10_000.0].map(f64::log10).to_vec()
            }
            Self::Percentiles => [0.0, 50.0, 90.0, 99.0, 99.9].map(nines).to_vec(),
            Self::Seconds => (0..=10_u32).map(|tenth| end * f64::from(tenth) / 10.0).collect(),
        }
    }

    fn label(self, place: f64) -> String {
        match self {
            Self::Connections => format!("{:.0}", 10.0_f64.powf(place)),
            Self::Percentiles => {
                let percent = format!("{:.2}", 100.0 * (1.0 - 10.0_f64.powf(-place)));
                format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Seconds => format!("{place:.0}"),
        }
    }
}

/// An axis with marks of its own choice.
struct Marked {
    axis: Axis,
    end: f64,
}

impl Ranged for Marked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limits: (i32, i32)) -> i32 {
        let width = f64::from(limits.1 - limits.0);
        limits.0 + rounded(width * value / self.end)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let marks = self.axis.marks(self.end).into_iter();
        marks.filter(|mark| *mark <= self.end + f64::EPSILON).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.end
    }
}

impl ValueFormatter<f64> for Marked {
    fn format_ext(&self, place: &f64) -> String {
        self.axis.label(*place)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a chart")]
fn rounded(pixels: f64) -> i32 {
    pixels.round() as i32
}

impl Chart<'_> {
    fn draw(&self, axis: Axis) -> Result<String> {
        let mut svg = String::new();
        self.draw_into(&mut svg, axis).map_err(|error| anyhow!("{}: {error}", self.title))?;
        Ok(svg)
    }

    fn draw_into(
        &self,
        svg: &mut String,
        axis: Axis,
    ) -> Result<(), Box<dyn std::error::Error + '_>> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let end = points().map(|(x, _)| axis.place(*x)).fold(0.0, f64::max);
        let top = points().map(|(_, y)| *y).fold(0.0, f64::max);
        // Room for the legend above the lines; and nothing but zeros could not be seen.
        let top = if top > 0.0 { top * 1.25 } else { 1.0 };
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 20))
            .margin(14)
            .margin_right(34)
            .x_label_area_size(48)
            .y_label_area_size(76)
            .build_cartesian_2d(Marked { axis, end }, 0.0..top)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .x_desc(self.axes[0])
            .y_desc(self.axes[1])
            .y_label_formatter(&|y| if top < 20.0 { format!("{y:.1}") } else { format!("{y:.0}") })
            .label_style(("sans-serif", 14))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            let points = series.points.iter().map(|(x, y)| (axis.place(*x), *y));
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(&series.name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .label_font(("sans-serif", 14))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Load;
    use crate::figures::tests::{CREATE, sample};

    fn shown(name: &str, figures: &Figures, timelines: &[Timeline]) -> Option<String> {
        draw(name, "a title", figures, timelines).expect("drawn")
    }

    #[test]
    fn a_chart_has_its_series_and_its_axes() {
        let load =
            |connections| Load::closed(Part::Connections, Kind::Postgres, CREATE, connections);
        let samples = [1, 64, 10_000].map(|connections| sample(load(connections), 1, 500.0));
        let figures = Figures { samples: samples.to_vec() };
        let svg = shown(THROUGHPUT_POSTGRES, &figures, &[]).expect("figures");
        for part in ["a title", "create", "Connections (logarithmic)", "10000", "polyline"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert_eq!(shown(THROUGHPUT_SQLITE, &figures, &[]), None);
        assert_eq!(shown(LAG, &figures, &[]), None);
    }

    #[test]
    fn the_tail_of_the_latencies_has_its_percentiles() {
        let load = Load::open(Part::OpenLoop, Kind::Postgres, Traffic::Create, 50);
        let figures = Figures { samples: vec![sample(load, 1, 500.0)] };
        let svg = shown(LATENCY, &figures, &[]).expect("figures");
        for part in ["create, 50 % offered", "99 %", "99.9 %"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn both_databases_are_shown_over_time() {
        let of = |kind| Timeline {
            kind,
            rates: vec![(0.25, 900.0), (0.5, 950.0)],
            lags: vec![(0.0, 0.0), (0.25, 0.0)],
        };
        let timelines = [of(Kind::Postgres), of(Kind::Sqlite)];
        for name in [TIMELINE, LAG] {
            let svg = shown(name, &Figures::default(), &timelines).expect("figures");
            assert!(svg.contains("PostgreSQL") && svg.contains("SQLite"), "{svg}");
        }
    }
}
