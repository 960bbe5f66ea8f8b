//! Fetch sessions over a partition.

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
    sessions: FetchSessions<Arc<Partition>>,
    id: i32,
    epoch: i32,
}

impl Client {
    /// One that has been told of all there is.
    async fn settled(settings: &[(&'static str, &'static str)]) -> Self {
        let (world, _) = World::with_topic(settings);
        let sessions = FetchSessions::new(SLOTS, Duration::from_secs(120));
        let mut client = Self { world, sessions, id: 0, epoch: 0 };
        assert_eq!(client.next().await.len(), 1);
        assert_eq!(client.next().await.len(), 0);
        client
    }

    fn begin(&mut self) -> Fetch<Arc<Partition>> {
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
