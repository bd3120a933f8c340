//! Salvage: what can be read of a wreck, written anew into another store. Nothing is written to the wreck.
//!
//! ```text
//! survey -> names -> states, one after the other -> log -> what has lost its name -> account -> check
//!           '- by pointers, holes filled with what was found -'    '------ in the new store ------'
//! ```
//!
//! The rules are numbered in `docs/design.md` (19). Memory: some 70 bytes for each node page of the wreck,
//! the outermost keys of the leaves of trees with holes, and the new store's cache.

mod account;
mod build;
mod cursor;
mod fill;
mod place;
mod redo;
mod replay;
mod report;
mod roots;
mod states;
mod survey;
mod wreck;

use std::{fmt, sync::Arc};

use cowslip::{Database, Durability};
use cowslip_pager::{
    PageId, Pointer, geometry::Geometry, storage::Storage, superblock::Superblock,
};

use crate::{
    Error, Options,
    check::{self, PageMap},
    problem::{Kind, Remedy},
};
use account::Account;
use build::{Build, Order};
use fill::Fills;
use replay::Past;
use states::Names;
use survey::{Node, Proof};
use wreck::{Item, NAMES, Wreck};

pub use fill::Origin;
pub(crate) use place::salvage_to;
pub use replay::Replay;
pub use report::{Footing, Gap, Salvaged, SalvagedState, SalvagedTable};

/// The table of the new store's branch `main` where salvage writes down what is not certain.
pub const SALVAGE_TABLE: &str = "cowslip.salvage";

/// Bytes of the new store's cache.
const CACHE: usize = 64 << 20;
/// A superblock that claims so many times the pages that its file has, and some more, has no map that is
/// followed: memory is taken for each page.
const CLAIMED_MAX: u64 = 8;
const CLAIMED_FREELY: u64 = 1 << 20;

/// How to salvage.
#[derive(Clone, Copy, Default)]
pub struct SalvageOptions<'a> {
    /// Called now and then with the bytes looked through, then the states written, and all there are.
    pub progress: Option<&'a dyn Fn(u64, u64)>,
}

impl fmt::Debug for SalvageOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SalvageOptions").finish_non_exhaustive()
    }
}

/// What the wreck says of itself at its beginning.
struct Head {
    footing: Footing,
    block: Option<(Geometry, Superblock)>,
}

pub(crate) fn run(
    storage: &dyn Storage,
    make_out: &mut dyn FnMut() -> Result<Arc<dyn Storage>, Error>,
    options: &SalvageOptions<'_>,
) -> Result<Salvaged, Error> {
    let length = storage.len().map_err(Error::Io)?;
    if length == 0 {
        return Err(Error::Empty);
    }
    let progress = |done, all| {
        if let Some(progress) = options.progress {
            progress(done, all);
        }
    };
    let mut head = head(storage)?;
    let said = head.block.as_ref().map(|(geometry, block)| (geometry.page_size, block.store));
    let certain = head.footing == Footing::Certain;
    let Some(mut survey) = survey::run(storage, length, (said, certain), &progress)? else {
        return Ok(Salvaged::nothing(head.footing));
    };
    let Some(geometry) = Geometry::new(survey.page_size) else {
        return Ok(Salvaged::nothing(head.footing));
    };
    if said.is_some_and(|said| said != (survey.page_size, survey.store)) {
        // A stray one.
        head.block = None;
    }
    let live = match head.block {
        Some(_) => live(storage, (length, &geometry), &mut survey.nodes, certain)?,
        None => Vec::new(),
    };
    let mut wreck = Wreck::new(storage, length, geometry, survey.store, survey.nodes);
    let mut fills = Fills::new(&wreck);
    let root = root(&mut wreck, &fills, &head, &survey.log);
    if head.block.as_ref().is_some_and(|(_, block)| Some(block.root) == root) {
        fills.live = live;
    }
    fills.prepare(&wreck);
    let mut names = states::read(&wreck, &fills, root);
    let hurt = !names.whole || root.is_some_and(|root| !wreck.is_whole(&Item::root(root), NAMES));
    if hurt {
        states::reach(&mut wreck, &mut fills, root, &names);
        if !names.whole {
            states::find_catalogs(&mut wreck, &mut fills, &mut names);
        }
    }
    let mut salvaged = Salvaged {
        page_size: geometry.page_size as u64,
        pages_found: wreck.nodes.len() as u64,
        unreadable_blocks: survey.unreadable,
        checked: is_undamaged(storage),
        ..Salvaged::nothing(head.footing)
    };
    if names.states.is_empty() && wreck.nodes.is_empty() && survey.log.is_empty() {
        return Ok(salvaged);
    }
    let out = make_out()?;
    let max_size = length.saturating_mul(8).saturating_add(64 << 20);
    let create = || {
        let builder = Database::builder().page_size(geometry.page_size).cache_size(CACHE);
        let builder = builder.max_size(max_size).durability(Durability::None).background(false);
        builder.open_or_create_on(out.clone()).map_err(Error::Out)
    };
    let job = Job { head: &head, root, log: &survey.log, wreck: &wreck, fills: &fills, names };
    let mut database = create()?;
    if !job.write((&database, max_size), Order::Oldest, &mut salvaged, &progress)? {
        // Another store, with what is new first.
        database.close().map_err(Error::Out)?;
        out.set_len(0).map_err(Error::OutFile)?;
        wreck.begin_again();
        fills.begin_again(&wreck);
        database = create()?;
        job.write((&database, max_size), Order::Newest, &mut salvaged, &progress)?;
    }
    database.close().map_err(Error::Out)?;
    out.sync().map_err(Error::OutFile)?;
    if !salvaged.is_empty() {
        let report = crate::check_storage(&*out, &Options::default())?;
        if !report.is_clean() {
            return Err(Error::OutUnsound { problems: report.problem_count() });
        }
    }
    Ok(salvaged)
}

/// Does the checker find nothing that touches data? A node that proves itself may still not belong where it
/// stands: beyond its parent's bounds, or older than the map says.
fn is_undamaged(storage: &dyn Storage) -> bool {
    let report = crate::check_storage(storage, &Options::default());
    report.is_ok_and(|report| {
        let harmless =
            |kind: &Kind| kind.remedy() == Remedy::Lossless && *kind != Kind::NodeMapChecksum;
        report.counts.keys().all(harmless)
    })
}

/// The superblock, if there is one (W4).
fn head(storage: &dyn Storage) -> Result<Head, Error> {
    let options = Options::default();
    let none = Head { footing: Footing::None, block: None };
    match check::begin(storage, &options) {
        Err(Error::NotADatabase) | Ok(None) => Ok(none),
        Err(error) => Err(error),
        Ok(Some(check)) => {
            // A copy may be damaged, if its twin is not.
            let certain = check.report.counts.keys().all(|kind| *kind == Kind::SuperblockCopy);
            let footing = if certain { Footing::Certain } else { Footing::Doubtful };
            Ok(Head { footing, block: Some((check.geometry, check.superblock)) })
        }
    }
}

/// The root of the names, and the newest stamp that counts (W3, W15).
fn root(
    wreck: &mut Wreck<'_>,
    fills: &Fills,
    head: &Head,
    log: &[survey::Start],
) -> Option<Pointer> {
    let block = head.block.as_ref().map(|(_, block)| block);
    if let (Footing::Certain, Some(block)) = (head.footing, block) {
        wreck.limit = block.stamp;
        return Some(block.root);
    }
    let past = Past::new(wreck.storage, (wreck.length, wreck.store), log);
    let found = roots::names(wreck, fills, block, &past);
    let proved = [block.map(|block| block.stamp), found.stamp, past.stamp];
    wreck.limit = proved.into_iter().flatten().max().unwrap_or(u64::MAX);
    found.root
}

/// For each node, does the map count it? Empty: it cannot be read. The map of a certain superblock also
/// disproves nodes: a page in use has the checksum that stands there.
fn live(
    storage: &dyn Storage,
    (length, geometry): (u64, &Geometry),
    nodes: &mut [Node],
    certain: bool,
) -> Result<Vec<bool>, Error> {
    let options = Options::default();
    let mut check = match check::begin(storage, &options) {
        Err(Error::NotADatabase) | Ok(None) => return Ok(Vec::new()),
        Err(error) => return Err(error),
        Ok(Some(check)) => check,
    };
    let there = length / geometry.page_size as u64;
    if check.superblock.pages > there.saturating_mul(CLAIMED_MAX) + CLAIMED_FREELY {
        return Ok(Vec::new());
    }
    let mut map = PageMap::read(&mut check);
    let mut any = false;
    let mut live = Vec::with_capacity(nodes.len());
    for node in nodes {
        let entry = map.entry(&mut check, node.page.into());
        any |= entry.is_some();
        let used = entry.filter(|entry| entry.count > 0);
        if let (true, Some(entry)) = (certain, used)
            && entry.crc != node.crc
        {
            let mut bytes = vec![0; geometry.page_size];
            let read = storage.read_at(&mut bytes, geometry.offset(PageId(node.page.into())));
            let raw = read.is_ok() && crc32fast::hash(&bytes) == entry.crc;
            node.proof = if raw { Proof::Image } else { Proof::Older };
        }
        live.push(used.is_some() && node.proof == Proof::Open);
    }
    Ok(if any { live } else { Vec::new() })
}

/// All that is known of the wreck, to be written.
struct Job<'w> {
    head: &'w Head,
    root: Option<Pointer>,
    log: &'w [survey::Start],
    wreck: &'w Wreck<'w>,
    fills: &'w Fills,
    names: Names,
}

impl Job<'_> {
    /// False: it was cut short, and the other order would leave what is newer.
    fn write(
        &self,
        (database, max_size): (&Database, u64),
        order: Order,
        salvaged: &mut Salvaged,
        progress: &dyn Fn(u64, u64),
    ) -> Result<bool, Error> {
        let Job { head, root, log, wreck, fills, names } = self;
        let gone = wreck.gone();
        let mut build = Build::new((database, max_size), wreck, fills, &names.states, order);
        build.run(progress)?;
        let cut_short = build.halted || fills.is_exhausted() || wreck.is_exhausted();
        let has_snapshots = names.states.iter().any(|state| state.snapshot);
        if cut_short && order == Order::Oldest && has_snapshots {
            return Ok(false);
        }
        salvaged.names_whole = names.whole;
        salvaged.left.clone_from(&names.left);
        let catalogs_whole =
            names.states.iter().all(|state| state.origin.is_none()) && !build.has_catalog_holes();
        if !names.whole || !catalogs_whole {
            let mut taken = std::collections::HashSet::new();
            let mut number = 0;
            for (id, pointer) in states::find_tables(wreck, fills, &build.trees) {
                let name = loop {
                    let name = states::free_name(&taken, &mut number);
                    if !build.has_table(&name)? {
                        break name;
                    }
                };
                let rows = build.found(&name, id, pointer)?;
                taken.insert(name.clone());
                salvaged.found_tables.push((name, rows));
            }
        }
        salvaged.log = match (head.footing, &head.block) {
            (Footing::Certain, Some((geometry, block))) => {
                replay::known(wreck.storage, (wreck.length, geometry), block, database)?
            }
            _ => {
                let stamp = root.as_ref().map_or(0, |root| root.stamp);
                replay::found(wreck.storage, (wreck.length, wreck.store), log, stamp, database)?
            }
        };
        if build.built.is_empty() && salvaged.found_tables.is_empty() && salvaged.log.done == 0 {
            return Ok(true);
        }
        salvaged.unread_again = (wreck.gone() - gone) as u64;
        if salvaged.unread_again > 0 || wreck.has_unread() {
            wreck.forget_whole();
        }
        salvaged.cut_short = fills.is_exhausted() || build.halted;
        salvaged.left.append(&mut build.left);
        salvaged.left.extend(build.machines.iter().map(|name| format!("machine {name:?}")));
        Account::new(&build, salvaged).run().map_err(Error::Out)?;
        account::note(database, salvaged).map_err(Error::Out)?;
        Ok(true)
    }
}
