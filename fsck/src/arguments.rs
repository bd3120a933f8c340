//! The options of the checker on a command line, as both programs have them: `cowslip-fsck`, and `cowslip fsck`.
//! A library without the feature `arguments` does without them.

use std::path::PathBuf;

/// Check a database and report numbered problems; writes nothing unless it is told to repair
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 no problems; 1 problems, all repaired; 4 problems left; 8 could not \
                  check; 16 usage error. With --salvage: 0 all was recovered for certain; 1 something is \
                  missing or uncertain; 4 nothing was recovered."
)]
pub struct Arguments {
    /// The database
    #[arg(required_unless_present = "list_problems")]
    pub file: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Repair what loses nothing; with `=lossy` the rest too
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "lossless", value_parser = ["lossless", "lossy"])]
    pub repair: Option<String>,
    /// With --repair: keep what is overwritten in this new file
    #[arg(long, value_name = "FILE", requires = "repair", conflicts_with_all = ["salvage", "undo_apply"])]
    pub undo: Option<PathBuf>,
    /// Put back what a repair has overwritten, from its undo file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repair", "json"])]
    pub undo_apply: Option<PathBuf>,
    /// Write what can be read into this new database; the file itself is only read
    #[arg(long, value_name = "OUT", conflicts_with_all = ["repair", "undo_apply", "live", "no_replay"])]
    pub salvage: Option<PathBuf>,
    /// Do not prove that the log's transactions replay
    #[arg(long)]
    pub no_replay: bool,
    /// Check the newest checkpoint of a database that may be in use; the log is not judged
    #[arg(long, conflicts_with_all = ["repair", "undo_apply"])]
    pub live: bool,
    /// Print the catalogue of problems and end
    #[arg(long)]
    pub list_problems: bool,
}
