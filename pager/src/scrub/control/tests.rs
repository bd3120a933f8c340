use super::*;
use crate::{error::Corruption, scrub::ScrubFault};

fn state(rate: u64, interval: u64) -> State {
    let config = Config {
        scrub_rate: rate,
        scrub_interval: Duration::from_secs(interval),
        ..Config::default()
    };
    Scrub::new(&config, ScrubRecord::default()).state.into_inner()
}

fn damage(page: u64) -> ScrubFinding {
    let fault = Corruption { page, what: "test", expected: 1, found: 2 };
    ScrubFinding { page, owners: 1, fault: ScrubFault::Damaged(fault) }
}

fn whole(findings: Vec<ScrubFinding>) -> Slice {
    Slice { next: 10, end: true, verified: 1, findings, ..Slice::default() }
}

#[test]
fn passes_begin_when_the_interval_has_passed_and_not_before() {
    let mut state = state(1, 100);
    assert_eq!(state.idle(50), None, "there was none yet");
    state.record.begin(50);
    state.enter(whole(Vec::new()), 60).unwrap();
    assert_eq!(state.idle(60), Some(Duration::from_secs(100)));
    assert_eq!(state.idle(159), Some(Duration::from_secs(1)));
    assert_eq!(state.idle(160), None);
    // The clock was put back: how long ago it was is not known.
    assert_eq!(state.idle(0), None);
    state.begin = true;
    assert_eq!(state.idle(60), None, "it was asked for");
    state.rate = 0;
    assert_eq!(state.idle(1000), Some(IDLE), "it is paused");
}

#[test]
fn a_pass_that_was_asked_for_is_not_repeated() {
    let mut state = state(0, 0);
    assert_eq!(state.idle(9), Some(IDLE));
    (state.rate, state.begin) = (5, true);
    assert_eq!(state.idle(9), None);
    state.record.begin(9);
    state.enter(whole(Vec::new()), 10).unwrap();
    assert_eq!((state.rate, state.idle(11)), (0, Some(IDLE)));
}

#[test]
fn findings_are_bounded_and_those_of_older_passes_go_first() {
    let mut state = state(1, 0);
    for pass in 0..3 {
        state.record.begin(1);
        let findings = (0..1000).map(|page| damage(1000 * pass + page)).collect();
        state.enter(Slice { next: 5, findings, ..Slice::default() }, 2).unwrap();
        assert_eq!(state.findings.len(), KEPT);
        assert!(state.findings.iter().all(|(number, found)| found.page / 1000 == *number));
        assert_eq!(state.record.pass.pages_damaged, 1000);
        state.enter(whole(Vec::new()), 3).unwrap();
        assert_eq!((state.record.last.pages_damaged, state.record.passes), (1000, pass + 1));
    }
    // A pass that finds nothing leaves nothing.
    state.record.begin(4);
    state.enter(whole(Vec::new()), 5).unwrap();
    assert!(state.findings.is_empty());
}

#[test]
fn a_page_that_is_found_again_is_kept_once() {
    let mut state = state(1, 0);
    for _ in 0..2 {
        state.record.begin(1);
        state.enter(whole(vec![damage(7)]), 2).unwrap();
        assert_eq!(state.findings.len(), 1);
    }
}

/// Nothing that a forged superblock may say of the progress is more than a number.
#[test]
fn no_record_makes_the_arithmetic_overflow() {
    let mut record = ScrubRecord::decode(&[0xFF; ScrubRecord::SIZE]);
    let scrub = Scrub::new(&Config { scrub_rate: 1, ..Config::default() }, record);
    let mut state = scrub.state.into_inner();
    state.add_time(Duration::MAX);
    assert_eq!(state.idle(0), None);
    assert_eq!(record.or_none(), ScrubRecord::default());
    state.enter(whole(vec![damage(1)]), u64::MAX).unwrap();
    assert_eq!(state.record.passes, u64::MAX);
    state.idle(u64::MAX);
    record.begin(0);
    assert_eq!(record.position.0, u64::MAX, "a pass under way stays as it is");
}
