//! The replay of the log: its records through the ordinary write path, several in one transaction where they could
//! have been one.

use cowslip_pager::Pager;

use super::{Draft, warm};
use crate::{error::Result, redo};

/// Takes a store's log in; a second thread may read ahead. Before each record `go_on` is asked whether to.
pub(crate) fn replay(
    pager: &Pager,
    replay: cowslip_pager::Replay,
    read_ahead: bool,
    go_on: impl Fn() -> Result<()>,
) -> Result<()> {
    pager.recover(replay, redo::joins, |txn, bodies| {
        let mut draft = Draft::new(txn)?;
        let (view, root) = (pager.view(draft.txn.stamp()), draft.meta.root);
        let mut apply = || {
            bodies.iter().try_for_each(|body| {
                go_on()?;
                draft.apply(body)
            })
        };
        if read_ahead {
            warm::beside(view, root, bodies, apply)?
        } else {
            apply()?
        }
        draft.into_replayed()
    })
}
