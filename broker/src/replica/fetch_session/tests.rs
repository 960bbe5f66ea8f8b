//! What is kept of a session, what a pass over it shows, and which sessions give way.

use std::time::Duration;

use super::{
    cache::{FAIR_SHARE, FINAL_EPOCH, NO_SESSION, PARTITIONS_MAX, epoch_after, lock},
    *,
};

/// A partition of which nothing is known but who watches it.
#[derive(Clone, Debug, Default)]
struct Probe(Arc<Watchers>);

impl Probe {
    fn change(&self) {
        self.0.tell(|_| ());
    }
}

impl Watched for Probe {
    fn watch(&self, changes: &Arc<Changes>, place: usize) {
        self.0.add(changes, place);
    }

    fn unwatch(&self, changes: &Arc<Changes>) {
        self.0.remove(changes);
    }

    fn is_changing(&self) -> bool {
        self.0.is_changing()
    }
}

const EVICT: Duration = Duration::from_secs(120);

fn interest(name: &str, index: i32) -> Interest<Probe> {
    let wants =
        Wants { fetch_offset: 0, max_bytes: 100, current_leader_epoch: -1, last_fetched_epoch: -1 };
    Interest::new(TopicRef::Name(name.into()), index, wants, None)
}

fn ask(id: i32, epoch: i32, partitions: &[i32], forgotten: &[i32]) -> Ask<Probe> {
    Ask {
        session_id: id,
        session_epoch: epoch,
        by_id: false,
        isolation: Isolation::ReadUncommitted,
        wanted: partitions.iter().map(|&index| interest("t", index)).collect(),
        forgotten: forgotten.iter().map(|&it| (TopicRef::Name("t".into()), it)).collect(),
    }
}

fn sessions(slots: usize) -> FetchSessions<Probe> {
    FetchSessions::new(slots, EVICT)
}

/// Opens a session of `partitions` partitions that is answered at `now`.
fn open(sessions: &FetchSessions<Probe>, partitions: i32, now: Duration, draw: u64) -> i32 {
    let all: Vec<i32> = (0..partitions).collect();
    let fetch = sessions.begin(ask(0, 0, &all, &[]), now).unwrap();
    sessions.end(fetch, now, || draw)
}

/// The partitions that a pass shows, which finds something at each.
fn order(fetch: &mut Fetch<Probe>) -> Vec<i32> {
    shown(fetch, |_| Look::News)
}

/// The partitions that a pass shows, which finds nothing at any.
fn quiet(fetch: &mut Fetch<Probe>) -> Vec<i32> {
    shown(fetch, |_| Look::Quiet)
}

fn shown(fetch: &mut Fetch<Probe>, look: impl Fn(i32) -> Look) -> Vec<i32> {
    let mut shown = Vec::new();
    let pass = |session: &mut Session<Probe>| {
        session.pass(|_, interest| {
            shown.push(interest.index);
            look(interest.index)
        });
    };
    fetch.with(pass).unwrap();
    shown
}

/// A session of so many partitions, all of which were found quiet by a request with epoch 1.
struct Settled {
    sessions: FetchSessions<Probe>,
    id: i32,
    probes: Vec<Probe>,
    epoch: i32,
}

impl Settled {
    fn of(count: i32) -> Self {
        let probes: Vec<Probe> = (0..count).map(|_| Probe::default()).collect();
        let sessions = sessions(10);
        let mut whole = ask(0, 0, &(0..count).collect::<Vec<_>>(), &[]);
        for (interest, probe) in whole.wanted.iter_mut().zip(&probes) {
            interest.set_partition(Some(probe.clone()));
        }
        let fetch = sessions.begin(whole, Duration::ZERO).unwrap();
        let id = sessions.end(fetch, Duration::ZERO, || 7);
        let mut it = Self { sessions, id, probes, epoch: 0 };
        assert_eq!(quiet(&mut it.fetch(&[], &[])).len(), it.probes.len());
        it
    }

    fn fetch(&mut self, wanted: &[i32], forgotten: &[i32]) -> Fetch<Probe> {
        self.epoch += 1;
        self.sessions.begin(ask(self.id, self.epoch, wanted, forgotten), Duration::ZERO).unwrap()
    }

    fn watching(&self) -> usize {
        self.probes.iter().map(|probe| probe.0.count()).sum()
    }
}

#[test]
fn a_pass_looks_at_nothing_but_what_changed() {
    let mut it = Settled::of(10_000);
    assert_eq!(quiet(&mut it.fetch(&[], &[])), [0; 0]);
    it.probes[9_999].change();
    it.probes[3].change();
    it.probes[3].change();
    let mut fetch = it.fetch(&[70], &[]);
    assert_eq!(quiet(&mut fetch), [3, 70, 9_999], "told of, and asked for");
    assert_eq!(quiet(&mut fetch), [0; 0]);
}

#[test]
fn what_is_not_quiet_is_looked_at_again() {
    let mut it = Settled::of(100);
    it.probes[3].change();
    it.probes[4].change();
    let news = |index| if index == 3 { Look::News } else { Look::Quiet };
    assert_eq!(shown(&mut it.fetch(&[], &[]), news), [3, 4]);
    assert_eq!(quiet(&mut it.fetch(&[], &[])), [3]);
    assert_eq!(quiet(&mut it.fetch(&[], &[])), [0; 0]);
}

#[test]
fn a_change_during_the_look_is_not_missed() {
    let mut it = Settled::of(100);
    let probe = it.probes[5].clone();
    let mut fetch = it.fetch(&[5], &[]);
    let changing = |index| {
        assert_eq!(index, 5);
        probe.change();
        Look::Quiet
    };
    assert_eq!(shown(&mut fetch, changing), [5]);
    assert_eq!(quiet(&mut fetch), [5]);
}

#[test]
fn one_that_is_changing_is_not_taken_for_quiet() {
    let mut it = Settled::of(100);
    let probe = it.probes[5].clone();
    let changing = probe.0.change();
    let mut fetch = it.fetch(&[], &[]);
    assert_eq!(quiet(&mut fetch), [5], "told before");
    assert_eq!(quiet(&mut fetch), [5], "not yet over");
    drop(changing);
    assert_eq!(quiet(&mut fetch), [5]);
    assert_eq!(quiet(&mut fetch), [0; 0]);
}

#[test]
fn those_with_news_take_turns() {
    let mut it = Settled::of(100);
    for at in [10, 50, 90] {
        it.probes[at].change();
    }
    let mut fetch = it.fetch(&[], &[]);
    assert_eq!(order(&mut fetch), [10, 50, 90]);
    fetch.with(|session| session.resume_after(10)).unwrap();
    assert_eq!(order(&mut fetch), [50, 90, 10]);
    fetch.with(|session| session.resume_after(90)).unwrap();
    assert_eq!(order(&mut fetch), [10, 50, 90]);
}

#[test]
fn who_takes_the_place_of_one_that_is_forgotten_is_still_followed() {
    let mut it = Settled::of(100);
    assert_eq!(quiet(&mut it.fetch(&[], &[7])), [99], "moved, and looked at once more");
    assert_eq!(quiet(&mut it.fetch(&[], &[])), [0; 0]);
    it.probes[7].change();
    it.probes[99].change();
    assert_eq!(quiet(&mut it.fetch(&[], &[])), [99]);
    assert_eq!(it.watching(), 99);
}

#[test]
fn one_that_is_found_again_is_looked_at_until_it_is_followed() {
    let mut it = Settled::of(2);
    it.probes[1].change();
    let anew = Probe::default();
    let mut fetch = it.fetch(&[], &[]);
    let replace = |session: &mut Session<Probe>| {
        session.pass(|_, interest| {
            interest.set_partition(Some(anew.clone()));
            Look::Quiet
        });
    };
    fetch.with(replace).unwrap();
    assert_eq!(quiet(&mut fetch), [1]);
    assert_eq!(quiet(&mut fetch), [0; 0]);
    anew.change();
    assert_eq!(quiet(&mut fetch), [1]);
}

#[test]
fn another_isolation_level_looks_at_everything_again() {
    let mut it = Settled::of(70);
    it.epoch += 1;
    let mut committed = ask(it.id, it.epoch, &[], &[]);
    committed.isolation = Isolation::ReadCommitted;
    let mut fetch = it.sessions.begin(committed, Duration::ZERO).unwrap();
    assert_eq!(quiet(&mut fetch).len(), 70);
    assert_eq!(quiet(&mut fetch), [0; 0]);
}

#[test]
fn a_session_that_ended_watches_nothing() {
    let mut it = Settled::of(100);
    assert_eq!(it.watching(), 100);
    let close = ask(it.id, FINAL_EPOCH, &[], &[]);
    drop(it.sessions.begin(close, Duration::ZERO).unwrap());
    assert_eq!(it.watching(), 0);

    it = Settled::of(3);
    drop(it.fetch(&[], &[0, 1, 2]));
    assert_eq!((it.watching(), it.sessions.len()), (0, 0));
}

#[test]
fn epochs_count_up_and_a_repeated_or_skipped_one_is_refused() {
    let sessions = sessions(10);
    let id = open(&sessions, 2, Duration::ZERO, 7);
    assert_eq!(id, 7);
    for (epoch, expected) in [
        (2, Err(SessionError::InvalidEpoch)),
        (1, Ok(())),
        (1, Err(SessionError::InvalidEpoch)),
        (2, Ok(())),
        (3, Ok(())),
    ] {
        let got = sessions.begin(ask(id, epoch, &[], &[]), Duration::ZERO).map(|_| ());
        assert_eq!(got, expected, "epoch {epoch}");
    }
    let stranger = sessions.begin(ask(8, 1, &[], &[]), Duration::ZERO).map(|_| ());
    assert_eq!(stranger, Err(SessionError::UnknownId));
    assert_eq!(epoch_after(i32::MAX), 1);
}

#[test]
fn a_request_by_id_cannot_use_a_session_by_name() {
    let sessions = sessions(10);
    let id = open(&sessions, 1, Duration::ZERO, 7);
    let mut other = ask(id, 1, &[], &[]);
    other.by_id = true;
    let got = sessions.begin(other, Duration::ZERO).map(|_| ());
    assert_eq!(got, Err(SessionError::TopicIdMismatch));
}

#[test]
fn a_full_request_ends_the_session_it_names() {
    let sessions = sessions(10);
    let id = open(&sessions, 1, Duration::ZERO, 7);
    let fetch = sessions.begin(ask(id, FINAL_EPOCH, &[0], &[]), Duration::ZERO).unwrap();
    assert!(!fetch.is_incremental());
    assert_eq!(sessions.end(fetch, Duration::ZERO, || 9), NO_SESSION);
    assert_eq!(sessions.len(), 0);
}

#[test]
fn partitions_are_added_updated_and_forgotten() {
    let sessions = sessions(10);
    let id = open(&sessions, 3, Duration::ZERO, 7);
    let mut fetch = sessions.begin(ask(id, 1, &[5], &[0]), Duration::ZERO).unwrap();
    assert_eq!(order(&mut fetch), [5, 1, 2]);

    let mut update = ask(id, 2, &[5], &[1, 9]);
    update.wanted[0].wants.fetch_offset = 42;
    let mut fetch = sessions.begin(update, Duration::ZERO).unwrap();
    let offsets = |session: &mut Session<Probe>| -> Vec<(i32, i64)> {
        session.interests().iter().map(|it| (it.index, it.wants.fetch_offset)).collect()
    };
    assert_eq!(fetch.with(offsets).unwrap(), [(5, 42), (2, 0)]);
}

#[test]
fn forgetting_the_last_partition_closes_the_session() {
    let sessions = sessions(10);
    let id = open(&sessions, 1, Duration::ZERO, 7);
    let fetch = sessions.begin(ask(id, 1, &[], &[0]), Duration::ZERO).unwrap();
    assert_eq!(sessions.end(fetch, Duration::ZERO, || 9), NO_SESSION);
    assert!(sessions.is_empty());
}

#[test]
fn an_answer_that_another_request_overtook_is_refused() {
    let sessions = sessions(10);
    let id = open(&sessions, 1, Duration::ZERO, 7);
    let mut slow = sessions.begin(ask(id, 1, &[], &[]), Duration::ZERO).unwrap();
    sessions.begin(ask(id, 2, &[], &[]), Duration::ZERO).unwrap();
    assert_eq!(slow.with(|_| ()), Err(SessionError::InvalidEpoch));
}

#[test]
fn the_next_pass_begins_behind_the_last_partition_served() {
    let sessions = sessions(10);
    let id = open(&sessions, 3, Duration::ZERO, 7);
    let mut fetch = sessions.begin(ask(id, 1, &[], &[]), Duration::ZERO).unwrap();
    for (served, expected) in [(0, [1, 2, 0]), (1, [2, 0, 1]), (2, [0, 1, 2])] {
        fetch.with(|session| session.resume_after(served)).unwrap();
        assert_eq!(order(&mut fetch), expected);
    }
}

#[test]
fn only_changed_bounds_and_the_end_of_an_error_are_news() {
    let mut it = interest("t", 0);
    let bounds = Told { high_watermark: 5, log_start: 0 };
    assert!(it.is_news(bounds));
    it.tell(Some(bounds));
    assert!(!it.is_news(bounds));
    assert!(it.is_news(Told { high_watermark: 6, ..bounds }));
    assert!(it.is_news(Told { log_start: 1, ..bounds }));
    it.tell(None);
    assert!(it.is_news(bounds));
}

#[test]
fn a_full_cache_evicts_the_stale_then_the_small() {
    struct Case {
        say: &'static str,
        at_s: u64,
        partitions: i32,
        kept: bool,
        left: [i32; 2],
    }
    // Both sessions are born at 0; session 2 (of 3 partitions) is used again at 100 s, session
    // 1 (of 2 partitions) at 110 s.
    let cases = [
        Case { say: "too young", at_s: 120, partitions: 9, kept: false, left: [1, 2] },
        Case { say: "not larger", at_s: 121, partitions: 2, kept: false, left: [1, 2] },
        Case { say: "larger", at_s: 121, partitions: 3, kept: true, left: [2, 3] },
        Case { say: "stale", at_s: 221, partitions: 1, kept: true, left: [1, 3] },
    ];
    for Case { say, at_s, partitions, kept, left } in cases {
        let sessions = sessions(2);
        assert_eq!(open(&sessions, 2, Duration::ZERO, 1), 1);
        assert_eq!(open(&sessions, 3, Duration::ZERO, 2), 2);
        sessions.begin(ask(2, 1, &[], &[]), Duration::from_secs(100)).unwrap();
        sessions.begin(ask(1, 1, &[], &[]), Duration::from_secs(110)).unwrap();
        let id = open(&sessions, partitions, Duration::from_secs(at_s), 3);
        assert_eq!(id, if kept { 3 } else { NO_SESSION }, "{say}");
        let mut ids: Vec<i32> = lock(&sessions.kept).keys().copied().collect();
        ids.sort_unstable();
        assert_eq!(ids, left, "{say}");
    }
}

#[test]
fn large_sessions_are_kept_only_while_there_is_room() {
    let sessions = sessions(10);
    let large = i32::try_from(PARTITIONS_MAX / 2).unwrap();
    assert_eq!(open(&sessions, large, Duration::ZERO, 1), 1);
    assert_eq!(open(&sessions, large, Duration::ZERO, 2), 2);
    assert_eq!(open(&sessions, large, Duration::ZERO, 3), NO_SESSION);
    let share = i32::try_from(FAIR_SHARE).unwrap();
    assert_eq!(open(&sessions, share, Duration::ZERO, 4), 4);
    // Neither may it grow beyond its share now; the client then begins anew.
    let grown = sessions.begin(ask(4, 1, &[share], &[]), Duration::ZERO).map(|_| ());
    assert_eq!((grown, sessions.len()), (Err(SessionError::UnknownId), 2));
    let same = sessions.begin(ask(1, 1, &[0], &[]), Duration::ZERO).map(|_| ());
    assert_eq!(same, Ok(()));
}

#[test]
fn twenty_thousand_new_sessions_leave_only_the_slots_filled() {
    let sessions = sessions(100);
    let mut next = 0;
    for _ in 0..20_000 {
        let fetch = sessions.begin(ask(0, 0, &[0], &[]), Duration::ZERO).unwrap();
        sessions.end(fetch, Duration::ZERO, || {
            next += 1;
            next
        });
    }
    assert_eq!(sessions.len(), 100);
}

/// Asks for so many topics, of names that are too long.
fn impossible(id: i32, epoch: i32, topics: usize) -> Ask<Probe> {
    let name = |at: usize| format!("{at:0>32000}");
    let wanted = (0..topics).map(|at| interest(&name(at), 0)).collect();
    Ask { wanted, ..ask(id, epoch, &[], &[]) }
}

#[test]
fn no_session_is_kept_for_names_that_no_topic_can_have() {
    let sessions = sessions(1000);
    for _ in 0..10 {
        let mut fetch = sessions.begin(impossible(0, 0, 500), Duration::ZERO).unwrap();
        assert_eq!(order(&mut fetch).len(), 500, "each has an answer");
        assert_eq!(sessions.end(fetch, Duration::ZERO, || 7), NO_SESSION);
    }
    assert!(sessions.is_empty());
    let longest = Ask { wanted: vec![interest(&"x".repeat(249), 0)], ..ask(0, 0, &[], &[]) };
    let fetch = sessions.begin(longest, Duration::ZERO).unwrap();
    assert_eq!(sessions.end(fetch, Duration::ZERO, || 7), 7);
}

#[test]
fn a_session_does_not_remember_names_that_no_topic_can_have() {
    let mut it = Settled::of(2);
    let mut fetch = it.sessions.begin(impossible(it.id, 2, 3), Duration::ZERO).unwrap();
    it.epoch = 2;
    assert_eq!(quiet(&mut fetch), [0; 0]);
    assert_eq!((fetch.take_impossible().len(), fetch.take_impossible().len()), (3, 0));
    assert_eq!(it.sessions.end(fetch, Duration::ZERO, || 9), it.id);
    assert_eq!(it.fetch(&[], &[]).with(|session| session.len()), Ok(2));

    let mut last = impossible(it.id, 4, 1);
    last.forgotten = ask(0, 0, &[], &[0, 1]).forgotten;
    let mut fetch = it.sessions.begin(last, Duration::ZERO).unwrap();
    assert_eq!(order(&mut fetch), [0], "the session is over, the question is answered");
}
