//! Who loses what: each damaged place once, with all states that lead to it.

use std::collections::HashSet;

use super::{
    loss::Loss,
    trees::{Context, Rebuild},
};
use crate::{problem::Kind, report::Range};

/// States that are named for one loss.
const STATES_MAX: usize = 100;

impl Rebuild<'_, '_, '_> {
    /// Notes that these keys are damaged; of the same place again, that they are somebody else's too.
    pub(super) fn loss(&mut self, page: Option<u64>, kind: Kind, context: &Context) -> usize {
        let range = range_of(context);
        let known = self.losses.iter().position(|loss| {
            loss.page == page
                && loss.ranges.first().is_some_and(|first| {
                    first.table == range.table && first.from == range.from && first.to == range.to
                })
        });
        if let Some(known) = known {
            self.has(known, context);
            let ranges = &mut self.losses[known].ranges;
            if ranges.len() < STATES_MAX && !ranges.contains(&range) {
                ranges.push(range);
            }
            return known;
        }
        self.losses.push(Loss::new(kind, page, range));
        self.states.push(HashSet::new());
        let loss = self.losses.len() - 1;
        self.has(loss, context);
        if let Some(page) = page {
            self.below.entry(page).or_default().push(loss);
        }
        for &page in &self.way {
            self.below.entry(page).or_default().push(loss);
        }
        loss
    }

    /// A page is met again: what is lost below it is this owner's loss as well.
    pub(super) fn affected(&mut self, page: u64, context: &Context) {
        let Some(losses) = self.below.get(&page).cloned() else { return };
        for at in losses {
            self.has(at, context);
            let ranges = &mut self.losses[at].ranges;
            let Some(first) = ranges.first() else { continue };
            let table = context.table.as_deref().map(str::to_owned).or(first.table.clone());
            let range = Range { state: context.state.to_string(), table, ..first.clone() };
            if ranges.len() < STATES_MAX && !ranges.contains(&range) {
                ranges.push(range);
            }
            let above = self.way.clone();
            for page in above {
                let losses = self.below.entry(page).or_default();
                if !losses.contains(&at) {
                    losses.push(at);
                }
            }
        }
    }

    /// A loss is this state's as well.
    fn has(&mut self, loss: usize, context: &Context) {
        if self.states[loss].insert(context.state.clone()) {
            self.losses[loss].states += 1;
        }
    }

    /// Has this state lost anything?
    pub(super) fn touched(&self, state: &str) -> bool {
        let losses = self.losses.iter().zip(&self.states);
        losses.filter(|(loss, _)| loss.loses()).any(|(_, states)| states.contains(state))
    }
}

fn range_of(context: &Context) -> Range {
    Range {
        state: context.state.to_string(),
        table: context.table.as_deref().map(str::to_owned),
        from: (!context.low.is_empty()).then(|| context.low.clone()),
        to: context.high.clone(),
    }
}
