//! `milena log dump|verify`: into a data directory, whether or not a broker runs on it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use milena_protocol::{
    Offset,
    compression::InflateLimit,
    records::{Batch, Record, TimestampType},
};
use milena_storage::{
    fs::{Disk, RealDisk},
    index::{AbortedTransaction, Extent, OpenError, TransactionIndex},
    repair::{Accepted, repair},
    verify::{Depth, FileBatches, Finding, Summary, verify},
};
use serde_json::{Map, Value, json};

use super::{Outcome, output};
use crate::clock::{Clock, SystemClock};

/// Look into the files of a log
#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Print the batches of segments, the records in them, and which transactions were aborted
    #[command(after_help = "\
Examples:
  milena log dump milena-data/orders-0
  milena log dump milena-data/orders-0/00000000000000000000.log --records --json")]
    Dump(Dump),
    /// Check every byte of a data directory, or of one log in it; change nothing unless told to
    #[command(after_help = "\
Examples:
  milena log verify milena-data
  milena log verify milena-data/orders-0 --records
  milena log verify milena-data --repair

Exit code 0: nothing was found. 4: something was, and stands on stdout. What is marked \"heals\" is \
rebuilt from the log when it is next opened. Of a log that is being written the last batch may look torn.")]
    Verify(Verify),
}

#[derive(Args, Debug)]
pub(super) struct Dump {
    /// A .log file, or a directory of them
    path: PathBuf,
    /// Also the records of each batch
    #[arg(long)]
    records: bool,
    /// Print a JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Verify {
    /// A data directory, or the directory of one log
    directory: PathBuf,
    /// Also inflate the batches and read every record
    #[arg(long)]
    records: bool,
    /// Make anew what follows from the records, remove what a crash left, and say what would be
    /// cut; for a data directory that no broker runs on
    #[arg(long)]
    repair: bool,
    /// Give up records that cannot be read or are not there, and those alone
    #[arg(long, requires = "repair")]
    accept_truncation: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Log {
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        match self {
            Self::Dump(command) => command.run(),
            Self::Verify(command) => command.run(),
        }
    }
}

impl Dump {
    fn run(&self) -> anyhow::Result<Outcome> {
        let files = segments_of(&RealDisk, &self.path)
            .with_context(|| format!("look for segments in {}", self.path.display()))?;
        let mut outcome = Outcome::Done;
        for file in files {
            let batches = FileBatches::open(&RealDisk, &file)
                .with_context(|| format!("open {}", file.display()))?;
            if !self.json {
                output::line(&file.display().to_string())?;
            }
            for batch in batches {
                match batch {
                    Ok((position, batch)) => self.batch(&file, position, &batch)?,
                    Err(bad) => {
                        outcome = Outcome::Findings;
                        self.bad(&file, bad.position, &bad.reason)?;
                    }
                }
            }
            if !self.aborted(&file)? {
                outcome = Outcome::Findings;
            }
        }
        Ok(outcome)
    }

    /// The transactions that were aborted in a segment; whether its list of them can be read.
    fn aborted(&self, segment: &Path) -> anyhow::Result<bool> {
        let file = segment.with_extension(ABORTED_EXTENSION);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let extent = Extent { end: Offset(i64::MAX), log_bytes: u64::MAX };
        let listed = match TransactionIndex::open_sealed(&disk, &file, Offset::ZERO, extent) {
            Ok(listed) => listed.entries().with_context(|| format!("read {}", file.display()))?,
            Err(OpenError::Io(error)) => {
                return Err(error).with_context(|| format!("open {}", file.display()));
            }
            Err(error) => return self.bad(&file, 0, &error.to_string()).map(|()| false),
        };
        for aborted in listed {
            if self.json {
                output::line(&aborted_json(&file, &aborted).to_string())?;
            } else {
                output::line(&aborted_line(&aborted))?;
            }
        }
        Ok(true)
    }

    fn batch(&self, file: &Path, position: u64, batch: &Batch) -> anyhow::Result<()> {
        if self.json {
            output::line(&batch_json(file, position, batch).to_string())?;
        } else {
            output::line(&batch_line(position, batch))?;
        }
        if !self.records {
            return Ok(());
        }
        let records = match batch.records(InflateLimit::default()) {
            Ok(records) => records,
            Err(error) => return self.bad(file, position, &error.to_string()),
        };
        for record in records {
            match record {
                Ok(record) if self.json => output::line(&record_json(&record).to_string())?,
                Ok(record) => output::line(&record_line(&record))?,
                Err(error) => return self.bad(file, position, &error.to_string()),
            }
        }
        Ok(())
    }

    fn bad(&self, file: &Path, position: u64, reason: &str) -> anyhow::Result<()> {
        if self.json {
            let fault = json!({ "file": file.display().to_string(), "position": position, "fault": reason });
            output::line(&fault.to_string())?;
        } else {
            output::line(&format!("  {position}  BAD: {reason}"))?;
        }
        Ok(())
    }
}

impl Verify {
    fn run(&self) -> anyhow::Result<Outcome> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        if self.repair {
            return self.repair(&disk);
        }
        let depth = if self.records { Depth::Records } else { Depth::Batches };
        let mut findings = Vec::new();
        let summary = verify(&disk, &self.directory, depth, &mut |finding| findings.push(finding))
            .with_context(|| format!("read {}", self.directory.display()))?;
        if self.json {
            let findings: Vec<Value> = findings.iter().map(finding_json).collect();
            output::json(&json!({ "summary": summary_json(&summary), "findings": findings }))?;
        } else {
            for finding in &findings {
                output::line(&finding_line(finding))?;
            }
            output::line(&format!(
                "{} logs, {} segments, {} batches, {} records, {} bytes: {} findings",
                summary.logs,
                summary.segments,
                summary.batches,
                summary.records,
                summary.bytes,
                summary.findings,
            ))?;
        }
        Ok(if findings.is_empty() { Outcome::Done } else { Outcome::Findings })
    }
}

impl Verify {
    fn repair(&self, disk: &Arc<dyn Disk>) -> anyhow::Result<Outcome> {
        let accepted = Accepted { truncation: self.accept_truncation };
        let mut steps = Vec::new();
        let now = SystemClock::new().now();
        let repaired = repair(disk, &self.directory, accepted, now, &mut |step| steps.push(step));
        if self.json {
            let told = steps.iter().map(|step| {
                json!({ "log": step.log, "step": step.what.to_string(), "left": step.what.is_left() })
            });
            output::json(&json!({ "steps": told.collect::<Vec<_>>() }))?;
        } else {
            for step in &steps {
                output::line(&step.to_string())?;
            }
            if steps.is_empty() {
                output::line("nothing to repair")?;
            }
        }
        repaired.with_context(|| format!("repair {}", self.directory.display()))?;
        let left = steps.iter().any(|step| step.what.is_left());
        Ok(if left { Outcome::Findings } else { Outcome::Done })
    }
}

/// The `.log` files that a path stands for, in order of their offsets.
fn segments_of(disk: &dyn Disk, path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.extension().is_some_and(|extension| extension == SEGMENT_EXTENSION) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = disk.read_dir(path)?;
    let names =
        entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| path.join(entry.name));
    Ok(names.filter(|file| file.extension().is_some_and(|e| e == SEGMENT_EXTENSION)).collect())
}

fn batch_line(position: u64, batch: &Batch) -> String {
    let codec = batch.compression().map_or("unknown codec", |codec| codec.name());
    let mut line = format!(
        "  {position}  offsets {}..={}  count {}  epoch {}  {} bytes  {codec}  {} {}",
        batch.base_offset().0,
        batch.last_offset().0,
        batch.record_count(),
        batch.leader_epoch().0,
        batch.size(),
        timestamp_type(batch),
        batch.max_timestamp().0,
    );
    if batch.producer_id().0 >= 0 {
        let (id, epoch) = (batch.producer_id().0, batch.producer_epoch().0);
        line.push_str(&format!("  producer {id}/{epoch} from {}", batch.base_sequence()));
    }
    for (set, word) in
        [(batch.is_transactional(), "  transactional"), (batch.is_control(), "  control")]
    {
        if set {
            line.push_str(word);
        }
    }
    line
}

fn aborted_line(aborted: &AbortedTransaction) -> String {
    format!(
        "  aborted  producer {}  first {}  marker {}  last stable {}",
        aborted.producer.0, aborted.first.0, aborted.last.0, aborted.last_stable.0,
    )
}

fn aborted_json(file: &Path, aborted: &AbortedTransaction) -> Value {
    json!({
        "file": file.display().to_string(),
        "abortedTransaction": {
            "producerId": aborted.producer.0,
            "firstOffset": aborted.first.0,
            "markerOffset": aborted.last.0,
            "lastStableOffset": aborted.last_stable.0,
        },
    })
}

fn batch_json(file: &Path, position: u64, batch: &Batch) -> Value {
    json!({
        "file": file.display().to_string(),
        "position": position,
        "base_offset": batch.base_offset().0,
        "last_offset": batch.last_offset().0,
        "count": batch.record_count(),
        "leader_epoch": batch.leader_epoch().0,
        "bytes": batch.size(),
        "codec": batch.compression().ok().map(|codec| codec.name()),
        "timestamp_type": timestamp_type(batch),
        "max_timestamp": batch.max_timestamp().0,
        "producer_id": batch.producer_id().0,
        "producer_epoch": batch.producer_epoch().0,
        "base_sequence": batch.base_sequence(),
        "transactional": batch.is_transactional(),
        "control": batch.is_control(),
    })
}

fn timestamp_type(batch: &Batch) -> &'static str {
    match batch.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn record_line(record: &Record) -> String {
    let text = |bytes: &Option<bytes::Bytes>| match bytes {
        None => "null".to_owned(),
        Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
    };
    let mut line = format!(
        "    {}  time {}  key {}  value {}",
        record.offset.0,
        record.timestamp.0,
        text(&record.key),
        text(&record.value),
    );
    for header in &record.headers {
        line.push_str(&format!("  {}={}", header.name(), text(&header.value)));
    }
    line
}

fn record_json(record: &Record) -> Value {
    let mut object = Map::new();
    object.insert("offset".into(), json!(record.offset.0));
    object.insert("timestamp".into(), json!(record.timestamp.0));
    output::insert_record(&mut object, record.key.as_ref(), record.value.as_ref(), &record.headers);
    Value::Object(object)
}

fn finding_line(finding: &Finding) -> String {
    let heals = if finding.fault.heals() { " (heals)" } else { "" };
    format!("{finding}{heals}")
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "log": finding.log,
        "file": finding.file,
        "position": finding.position,
        "fault": finding.fault.to_string(),
        "heals": finding.fault.heals(),
    })
}

fn summary_json(summary: &Summary) -> Value {
    json!({
        "logs": summary.logs,
        "segments": summary.segments,
        "batches": summary.batches,
        "records": summary.records,
        "bytes": summary.bytes,
        "findings": summary.findings,
    })
}

const ABORTED_EXTENSION: &str = "txnindex";
const SEGMENT_EXTENSION: &str = "log";
