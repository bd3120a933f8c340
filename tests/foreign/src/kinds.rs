//! Which broken promises are of one kind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use cowslip_harness::explore::{Fate, Violation};

/// The kinds of broken promises that were seen, with how many of each. Cloning makes another handle.
#[derive(Clone, Debug, Default)]
pub struct Kinds(Arc<Mutex<BTreeMap<String, u64>>>);

impl Kinds {
    /// Counts one of this kind; says whether the kind was known.
    pub fn count(&self, kind: &str) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = kinds.get_mut(kind) {
            *count += 1;
            return true;
        }
        false
    }

    /// From now on the kind is known; false if it was.
    pub fn learn(&self, kind: &str) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(kind.to_owned(), 1).is_none()
    }

    /// All of them.
    pub fn all(&self) -> Vec<(String, u64)> {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.iter().map(|(kind, &count)| (kind.clone(), count)).collect()
    }
}

/// The kind of a violation: the message without its numbers, and what it took.
pub fn kind(violation: &Violation) -> String {
    let took = match fault(violation) {
        Some(fault) => format!("{fault} during the recovery"),
        None if violation.fates.iter().any(|fate| fate.1 == Fate::Torn) => "a torn write".into(),
        None => "whole writes".into(),
    };
    let nested = if violation.in_recovery { ", nested" } else { "" };
    format!("[{took}{nested}] {}", without_numbers(&violation.what))
}

/// The kind of a failure without any power cut.
pub fn alive(violation: &Violation) -> String {
    format!("[alive] {}", without_numbers(&violation.what))
}

/// It took a disk that lies: more than an engine need bear.
pub fn is_beyond(violation: &Violation) -> bool {
    matches!(fault(violation), Some("Lost" | "Stale" | "Misdirected" | "Rot"))
}

fn fault(violation: &Violation) -> Option<&'static str> {
    let fault = violation.fault.as_ref()?;
    ["Eio", "Enospc", "Lost", "Stale", "Misdirected", "Rot"]
        .into_iter()
        .find(|kind| fault.contains(kind))
}

fn without_numbers(text: &str) -> String {
    let mut short = String::new();
    for char in text.chars() {
        match char {
            '0'..='9' | '#' if short.ends_with('#') => {}
            '0'..='9' => short.push('#'),
            _ => short.push(char),
        }
    }
    // Lists of numbers, such as a key's.
    while short.contains("#, #") {
        short = short.replace("#, #", "#");
    }
    short.chars().take(200).collect()
}
