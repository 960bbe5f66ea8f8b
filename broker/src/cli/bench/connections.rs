//! `milena bench connections`: many connections that do next to nothing.

use std::{sync::Arc, time::Duration};

use clap::Args;
use milena_protocol::messages::FetchRequest;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Common, Meter, Report, SharedMeter, allow_many_files, consume::fetch_of, meter::Count, run_all,
    target::Topic,
};
use crate::{
    client::{ClientError, Connection},
    clock::{Clock, SystemClock},
};

/// Open many connections, and let them be silent or wait for records that do not come
#[derive(Args, Debug)]
pub(in crate::cli) struct Connections {
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Each waits for records of a topic, from its end on; made if it does not exist
    #[arg(long, value_name = "TOPIC")]
    fetch: Option<String>,
    /// Milliseconds that a fetch waits
    #[arg(long, value_name = "MS", default_value_t = 500)]
    wait: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Connections {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        allow_many_files();
        let name = self.fetch.as_deref().unwrap_or("bench");
        let topic = Topic::find_or_make(&self.common.target, name, 1).await?;
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        let open = self.open(&topic).await?;
        let took = (clock.monotonic() - begun).as_secs_f64();

        let meter = Arc::new(Meter::start(clock, &self.common.length)?);
        let mut running = JoinSet::new();
        for connection in open {
            let meter = Arc::clone(&meter);
            if self.fetch.is_some() {
                running.spawn(wait(connection, topic.clone(), self.wait, meter));
            } else {
                running.spawn(async move {
                    meter.time_is_up().await;
                    drop(connection);
                    Ok(())
                });
            }
        }
        run_all(&meter, running).await?;
        let mut report = Report::of_load("connections", &meter);
        report.add("connections", self.count);
        report.add("open_seconds", took);
        Ok(report)
    }

    async fn open(&self, topic: &Topic) -> anyhow::Result<Vec<Connection>> {
        let doors = Arc::new(Semaphore::new(CONNECTING_MAX));
        let mut opening: JoinSet<anyhow::Result<Connection>> = JoinSet::new();
        for at in 0..self.count {
            let (doors, topic) = (Arc::clone(&doors), topic.clone());
            opening.spawn(async move {
                let _door = doors.acquire().await?;
                Ok(topic.connect(topic.place(at)?).await?)
            });
        }
        let mut open = Vec::with_capacity(self.count);
        while let Some(opened) = opening.join_next().await {
            open.push(opened??);
        }
        Ok(open)
    }
}

async fn wait(
    mut connection: Connection,
    topic: Topic,
    wait: u32,
    meter: SharedMeter,
) -> anyhow::Result<()> {
    let held = Duration::from_millis(wait.into());
    let mut request = FetchRequest {
        max_wait_ms: i32::try_from(wait)?,
        ..fetch_of(&topic, topic.place(0)?.index, FETCH_BYTES)
    };
    while !meter.is_over() {
        let sent = meter.clock.monotonic();
        let answer = connection.call_held(&request, held).await?;
        ClientError::check("fetch", answer.error_code, None)?;
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        // What was there before is passed over; from the end on it waits.
        let end = partitions.map(|it| it.high_watermark).max();
        for asked in request.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            asked.fetch_offset = end.unwrap_or(asked.fetch_offset);
        }
        meter.answered(sent, Count { requests: 1, ..Count::default() });
    }
    Ok(())
}

const CONNECTING_MAX: usize = 256;
const FETCH_BYTES: i32 = 1 << 16;
