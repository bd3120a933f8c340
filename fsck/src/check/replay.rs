//! The log's transactions, tried: the engine recovers the store into memory, as the next opening
//! would, and the state that it leaves is checked like any other. Runs only when everything before
//! it found nothing wrong. Nothing is written to the store.

use std::sync::{Arc, mpsc};

use cowslip::{Database, Error as EngineError};

use super::{Check, checkpoint};
use crate::{
    Error, Options,
    overlay::{Laid, Overlay, Remote},
    problem::Kind,
    report::Problem,
};

pub(super) fn run(check: &mut Check<'_>) -> Result<(), Error> {
    let overlay = Arc::new(Overlay::new(check.length));
    let (requests, receiver) = mpsc::channel();
    let remote = Remote { overlay: overlay.clone(), requests };
    let engine = std::thread::Builder::new()
        .name("cowslip-fsck-replay".into())
        .spawn(move || recover(remote))
        .map_err(Error::Io)?;
    for request in receiver {
        request.serve(check.storage);
    }
    match engine.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            check.report.add(Problem::new(Kind::ReplayFailed, error.to_string()));
            return Ok(());
        }
        Err(_) => {
            check.report.add(Problem::new(Kind::ReplayPanicked, "a panic during replay"));
            return Ok(());
        }
    }
    check.report.replayed = true;
    if !check.options.check_replayed {
        return Ok(());
    }
    let laid = Laid { overlay: &overlay, below: check.storage };
    let options = Options { replay: false, ..*check.options };
    let Some(after) = checkpoint(&laid, &options)? else {
        check.report.add(Problem::new(Kind::ReplayInconsistent, "no superblock after replay"));
        return Ok(());
    };
    for problem in after.report.problems {
        let found = format!("after replay: {} {}", problem.kind, problem.what);
        let kind = Kind::ReplayInconsistent;
        let moved = Problem::new(kind, found);
        let (severity, data, repair) = (moved.severity, moved.data, moved.repair);
        check.report.add(Problem { kind, severity, data, repair, what: moved.what, ..problem });
    }
    Ok(())
}

fn recover(remote: Remote) -> Result<(), EngineError> {
    let database = Database::builder().background(false).open_or_create_on(Arc::new(remote))?;
    database.close()
}
