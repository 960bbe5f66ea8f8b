//! What a run came to, for a person and for a program.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::{
    meter::{Figures, Meter},
    output,
};

/// Figures under their names, in the order in which they are shown.
#[derive(Debug)]
pub(super) struct Report {
    what: &'static str,
    figures: Vec<(String, Value)>,
}

impl Report {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, figures: Vec::new() }
    }

    /// A load of requests: how many, how fast, how long each took.
    pub(super) fn of_load(what: &'static str, meter: &Meter) -> Self {
        let (Figures { all, measured, latency, .. }, seconds) = meter.finish();
        let mut report = Self::new(what);
        let per_second = |count: u64| if seconds > 0.0 { float(count) / seconds } else { 0.0 };
        report.add("seconds", rounded(seconds));
        report.add("requests_per_s", rounded(per_second(measured.requests)));
        report.add("records_per_s", rounded(per_second(measured.records)));
        report.add("mb_per_s", rounded(per_second(measured.bytes) / 1e6));
        report.latency("latency", &latency);
        // With the warm-up, for whoever measures the broker's process around the whole run.
        report.add("all_requests", all.requests);
        report.add("all_records", all.records);
        report.add("all_bytes", all.bytes);
        report
    }

    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.figures.push((name.into(), value.into()));
    }

    /// Adds a histogram of nanoseconds.
    pub(super) fn latency(&mut self, name: &str, histogram: &Histogram<u64>) {
        let us = |nanoseconds: u64| rounded(float(nanoseconds) / 1e3);
        for (label, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
            let value = histogram.value_at_quantile(quantile);
            self.add(format!("{name}_{label}_us"), us(value));
        }
        self.add(format!("{name}_max_us"), us(histogram.max()));
    }

    /// Prints it to stdout: a table, or one JSON object.
    ///
    /// # Errors
    /// Whatever stdout reports.
    pub(super) fn print(self, as_json: bool) -> std::io::Result<()> {
        if as_json {
            let mut object: Map<String, Value> = self.figures.into_iter().collect();
            object.insert("what".to_owned(), json!(self.what));
            return output::line(&Value::Object(object).to_string());
        }
        let rows: Vec<Vec<String>> = self
            .figures
            .iter()
            .map(|(name, value)| vec![name.clone(), value.to_string()])
            .collect();
        output::table(&[self.what, ""], &rows)
    }
}

/// More digits than these say nothing.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
fn float(count: u64) -> f64 {
    count as f64
}
