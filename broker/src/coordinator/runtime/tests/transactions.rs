//! Records of transactions: batches of their own, all of a turn or none, and what replay makes of
//! them.

use super::*;

const ALICE: ProducerId = ProducerId(7);
const BOB: ProducerId = ProducerId(8);
const EPOCH: ProducerEpoch = ProducerEpoch(3);

fn add_in(producer: ProducerId, by: i64) -> Ask {
    Ask::AddIn(producer, EPOCH, by)
}

fn end(producer: ProducerId, commit: bool) -> Ask {
    let (epoch, coordinator_epoch, timestamp) = (EPOCH, 5, Timestamp(900));
    Ask::End(EndMarker { producer, epoch, coordinator_epoch, timestamp, commit })
}

async fn read(running: &Running) -> i64 {
    running.shard.ask(Ask::Read).await.unwrap()
}

async fn ask_at_once(running: &Running, asks: Vec<Ask>) -> Vec<Result<i64, Unavailable>> {
    let asked: Vec<_> = asks.into_iter().map(|ask| running.shard.ask(ask)).collect();
    let mut replies = Vec::new();
    for asked in asked {
        replies.push(asked.await);
    }
    replies
}

#[tokio::test]
async fn a_turn_is_written_as_one_append_with_a_batch_for_each_producer() {
    let running = start(MemoryLog::new()).await;
    let asks = vec![Ask::Add(1), Ask::Add(1), add_in(ALICE, 10), add_in(ALICE, 20)];
    let more = vec![add_in(BOB, 100), end(ALICE, true), Ask::Add(1)];
    ask_at_once(&running, asks.into_iter().chain(more).collect()).await;
    let appends = running.log.batches.lock().unwrap().clone();
    assert_eq!(appends.len(), 1);
    let written: Vec<_> = split(&appends[0])
        .iter()
        .map(|batch| {
            let kind = (batch.is_transactional(), batch.is_control());
            let sequence = batch.header().base_sequence;
            (batch.producer_id(), batch.producer_epoch(), sequence, batch.record_count(), kind)
        })
        .collect();
    let (none, no_epoch) = (ProducerId::NONE, ProducerEpoch::NONE);
    assert_eq!(
        written,
        [
            (none, no_epoch, -1, 2, (false, false)),
            (ALICE, EPOCH, -1, 2, (true, false)),
            (BOB, EPOCH, -1, 1, (true, false)),
            (ALICE, EPOCH, -1, 1, (true, true)),
            (none, no_epoch, -1, 1, (false, false)),
        ]
    );
    assert_eq!(read(&running).await, 33);
}

#[tokio::test]
async fn replay_tells_whose_records_they_are_and_how_they_ended() {
    let log = MemoryLog::new();
    let running = start(Arc::clone(&log)).await;
    for ask in [Ask::Add(1), add_in(ALICE, 10), add_in(BOB, 100), end(ALICE, true)] {
        running.shard.ask(ask).await.unwrap();
    }
    drop(running);
    let running = start(Arc::clone(&log)).await;
    assert_eq!(read(&running).await, 11, "one is open still");
    running.shard.ask(end(BOB, true)).await.unwrap();
    running.shard.ask(add_in(ALICE, 1_000)).await.unwrap();
    running.shard.ask(end(ALICE, false)).await.unwrap();
    drop(running);
    assert_eq!(read(&start(log).await).await, 111);
}

#[tokio::test]
async fn a_refused_append_undoes_records_and_markers_alike() {
    let running = start(MemoryLog::new()).await;
    running.shard.ask(add_in(ALICE, 10)).await.unwrap();
    running.log.refuse(Some(AppendFailed::Refused));
    let replies = ask_at_once(&running, vec![add_in(ALICE, 5), end(ALICE, true)]).await;
    assert_eq!(replies, [Err(Unavailable::NotAppended), Err(Unavailable::NotAppended)]);
    running.log.refuse(None);
    assert_eq!(read(&running).await, 0);
    running.shard.ask(end(ALICE, true)).await.unwrap();
    assert_eq!(read(&running).await, 10);
}

#[tokio::test]
async fn a_fenced_producer_does_not_harm_its_neighbours() {
    let running = start(MemoryLog::new()).await;
    running.shard.ask(Ask::AddIn(ALICE, ProducerEpoch(4), 10)).await.unwrap();
    let replies = ask_at_once(&running, vec![Ask::Add(1), add_in(ALICE, 5), Ask::Add(1)]).await;
    assert_eq!(replies, [Ok(1), Err(Unavailable::FencedProducer), Ok(2)]);
}

#[tokio::test]
async fn an_older_incarnation_is_fenced_within_the_turn_of_the_newer_one() {
    let running = start(MemoryLog::new()).await;
    let newer = Ask::AddIn(ALICE, ProducerEpoch(4), 10);
    let replies = ask_at_once(&running, vec![add_in(ALICE, 5), newer, add_in(ALICE, 5)]).await;
    assert_eq!(replies, [Ok(0), Ok(0), Err(Unavailable::FencedProducer)]);
}

#[tokio::test]
async fn markers_of_each_kind_are_written_apart() {
    let running = start(MemoryLog::new()).await;
    let bumping = |producer| match end(producer, true) {
        Ask::End(marker) => Ask::EndBumping(marker),
        other => other,
    };
    let replies = ask_at_once(&running, vec![end(ALICE, true), bumping(BOB), Ask::Add(1)]).await;
    assert_eq!(replies, [Ok(0), Ok(0), Ok(1)]);
    assert_eq!(*running.log.bumps.lock().unwrap(), [false, true, false]);
    ask_at_once(&running, vec![bumping(ALICE), bumping(BOB), Ask::Add(1)]).await;
    assert_eq!(running.log.bumps.lock().unwrap().last(), Some(&true));
    assert_eq!(running.log.appends(), 4);
}

#[tokio::test]
async fn what_belongs_to_transactions_is_waited_for_until_it_is_synced() {
    let running = start(MemoryLog::new()).await;
    for ask in [Ask::Add(1), add_in(ALICE, 10), Ask::Add(1), end(ALICE, true)] {
        running.shard.ask(ask).await.unwrap();
    }
    ask_at_once(&running, vec![Ask::Add(1), add_in(BOB, 10)]).await;
    assert_eq!(*running.log.syncs.lock().unwrap(), [false, true, false, true, true]);
}
