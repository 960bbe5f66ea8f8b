//! Fetch sessions over a partition.

use std::sync::Weak;

use milena_storage::fs::Pool;

use super::*;
use crate::replica::{
    EpochError, TopicRef,
    fetch::{FetchError, Served, Terms, gather},
    fetch_session::{Ask, Fetch, FetchSessions, Interest, Wants},
};

const SLOTS: usize = 10;
const TERMS: Terms =
    Terms { min_bytes: 1, max_bytes: 1 << 20, isolation: Isolation::ReadUncommitted };

/// A session over `t-0` by a client that knows leader epoch 0.
struct Client {
    world: World,
    sessions: FetchSessions<Weak<Partition>>,
    id: i32,
    epoch: i32,
}

impl Client {
    /// One that has been told of all there is.
    async fn settled(settings: &[(&'static str, &'static str)]) -> Self {
        Self::settled_in(World::with_topic(settings).0).await
    }

    async fn settled_in(world: World) -> Self {
        let sessions = FetchSessions::new(SLOTS, Duration::from_secs(120));
        let mut client = Self { world, sessions, id: 0, epoch: 0 };
        assert_eq!(client.next().await.len(), 1);
        assert_eq!(client.next().await.len(), 0);
        client
    }

    fn begin(&mut self) -> Fetch<Weak<Partition>> {
        let wants = Wants {
            fetch_offset: 0,
            max_bytes: 1 << 20,
            current_leader_epoch: 0,
            last_fetched_epoch: -1,
        };
        let whole = Interest::new(TopicRef::Name("t".into()), 0, wants, None);
        let ask = Ask {
            session_id: self.id,
            session_epoch: self.epoch,
            by_id: false,
            isolation: TERMS.isolation,
            wanted: Some(whole).into_iter().filter(|_| self.epoch == 0).collect(),
            forgotten: Vec::new(),
        };
        self.epoch += 1;
        self.sessions.begin(ask, Duration::ZERO).unwrap()
    }

    /// What the next request is told, which does not wait.
    async fn next(&mut self) -> Vec<Served> {
        let mut fetch = self.begin();
        let served = gather(&self.world.replicas, &mut fetch, TERMS, None).await.unwrap();
        self.id = self.sessions.end(fetch, Duration::ZERO, || 7);
        served
    }
}

#[tokio::test]
async fn a_fetch_that_waits_is_woken_by_what_its_session_is_told() {
    let mut client = Client::settled(&[("flush.policy", "os")]).await;
    let mut fetch = client.begin();
    let replicas = Arc::clone(&client.world.replicas);
    let mut waiting = pin!(gather(&replicas, &mut fetch, TERMS, Some(Duration::from_secs(9))));
    assert!(at_once(&mut waiting).await.is_none());
    client.world.partition().append(batch(), NOW).unwrap();
    let served = waiting.await.unwrap();
    assert_eq!(served.len(), 1);
    assert!(!served[0].outcome.as_ref().unwrap().records.is_empty());
    assert_eq!(client.next().await.len(), 1, "not yet read");
}

#[tokio::test]
async fn a_new_leader_epoch_is_told_to_who_claims_the_old_one() {
    let mut client = Client::settled(&[]).await;
    let before = image(&[]);
    let mut after = before.clone();
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id: ID,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 1,
        ..PartitionRecord::default()
    };
    after.apply(&partition.into(), 100).unwrap();
    client.world.replicas.changed(&before, &Arc::new(after));
    let served = client.next().await;
    assert_eq!(served.len(), 1);
    assert!(matches!(served[0].outcome, Err(FetchError::Epoch(EpochError::Fenced))));
}

#[tokio::test]
async fn records_that_expire_move_the_start_that_is_told() {
    let mut client = Client::settled(&[("flush.policy", "os"), ("retention.ms", "1")]).await;
    let partition = client.world.partition();
    for _ in 0..3 {
        partition.append(batch(), NOW).unwrap();
    }
    assert_eq!(client.next().await.len(), 1);
    client.world.clock.advance(Duration::from_secs(9));
    client.world.replicas.retain_all(client.world.clock.now());
    assert!(partition.log().start_offset() > Offset(0));
    let served = client.next().await;
    assert_eq!(served.len(), 1, "what was read is gone");
    assert!(matches!(served[0].outcome, Err(FetchError::Read(_))));
}

#[tokio::test]
async fn a_session_keeps_nothing_of_a_topic_that_was_deleted() {
    const SETTINGS: &[(&str, &str)] =
        &[("flush.policy", "os"), ("segment.bytes", "1024"), ("file.delete.delay.ms", "1000")];
    let disk = SimDisk::new();
    let pool = Pool::new(Arc::new(disk.clone()), 100);
    let world = World::over(&disk, Arc::new(pool.clone()));
    let before = pool.open_files();
    world.start();
    world.replicas.changed(&Image::default(), &Arc::new(image(SETTINGS)));
    let mut client = Client::settled_in(world).await;
    let log = {
        let partition = client.world.partition();
        for _ in 0..60 {
            partition.append(batch(), NOW).unwrap();
        }
        assert!(partition.log().segment_count() > 2);
        Arc::downgrade(&partition.log())
    };
    assert_eq!(client.next().await.len(), 1);
    client.world.replicas.changed(&image(SETTINGS), &Arc::new(Image::default()));
    let timers = Arc::clone(&client.world.replicas.shared.timers);
    until("a timer", || timers.armed() > 0).await;
    client.world.clock.advance(Duration::from_millis(1001));
    let root = Path::new(ROOT);
    let is_empty = || disk.read_dir(root).unwrap().iter().all(|entry| !entry.is_dir);
    until("the directory to go", is_empty).await;
    assert!(log.upgrade().is_none());
    assert_eq!(pool.open_files(), before);

    let served = client.next().await;
    assert!(matches!(
        served[..],
        [Served { outcome: Err(FetchError::Missing(Missing::Topic)), .. }]
    ));
    client.world.replicas.close().await;
}
