//! The file that `--swap` names: made for a run, and removed when it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip::{
    storage::{FileStorage, OpenError},
    vm::trace::Player,
};

use crate::failure::Failure;

/// A swap file. It is removed when this goes.
pub(super) struct File(PathBuf);

impl File {
    /// Makes one for the player's machine.
    pub(super) fn under(player: &mut Player, path: &Path) -> Result<File, Failure> {
        let why = |error: OpenError| Failure::Other(format!("{}: {error}", path.display()));
        let storage = FileStorage::create(path).map_err(why)?;
        let file = File(path.to_owned());
        let moved = player.machine_mut().swap_to(Arc::new(storage));
        moved.map_err(|error| Failure::of_file(path, error))?;
        Ok(file)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Whoever removed it before was faster.
        let _ = fs::remove_file(&self.0);
    }
}
