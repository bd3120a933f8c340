//! `create`: a new, empty database.

use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::{Database, Error};

use crate::failure::{Failure, Outcome};
use crate::store;

/// Make a new, empty database
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file to make; it must not exist
    file: PathBuf,
    /// Bytes in a page: 4096, 8192, 16384, 32768 or 65536
    #[arg(long, value_name = "N")]
    page_size: Option<u32>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(size) = args.page_size
        && !(size.is_power_of_two() && (4 << 10..=64 << 10).contains(&size))
    {
        return Err(Failure::Usage(format!(
            "--page-size {size}: must be 4096, 8192, 16384, 32768 or 65536"
        )));
    }
    let mut builder = Database::builder();
    if let Some(size) = args.page_size {
        builder = builder.page_size(size as usize);
    }
    let db = builder.create(&args.file).map_err(|error| match error {
        Error::AlreadyExists { .. } => {
            Failure::Other(format!("{}: exists already, and stays as it is", args.file.display()))
        }
        error => Failure::of_file(&args.file, error),
    })?;
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}
