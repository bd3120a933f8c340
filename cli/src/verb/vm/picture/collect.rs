//! Collects a panel from a machine: two walks over the entries of all processes. The first finds
//! who has which frames, the second what the pages of the shown regions are.

use std::ops::Range;

use cowslip::vm::{Areas, Machine, PAGES, Pid, State, trace::Player};

use super::{
    evenly,
    owners::{Owner, Owners},
    panel::{Panel, Region, Space},
    runs,
};

/// Most address spaces of a panel.
const SPACES: usize = 6;
/// Most regions of an address space.
const REGIONS: usize = 6;

/// A region before it is looked at.
struct Found {
    name: String,
    pages: Range<u64>,
    /// Among all regions that are shown.
    number: Option<usize>,
}

/// An address space before it is looked at.
struct Place {
    pid: Pid,
    names: Vec<String>,
    areas: Areas,
    regions: Vec<Found>,
}

/// The machine as it is now.
pub(super) fn panel(player: &Player) -> Panel {
    let machine = player.machine();
    let mut places = spaces(player);
    let shown: Vec<usize> = evenly(places.len(), SPACES).collect();
    let mut numbers = 0;
    for at in &shown {
        let Some(place) = places.get_mut(*at) else { continue };
        for region in choose(machine, place) {
            region.number = Some(numbers);
            numbers += 1;
        }
    }

    let mut owners = Owners::default();
    // What is shown comes first, and all that is not is one owner: see `owners`.
    for hidden in [false, true] {
        for place in &places {
            for region in place.regions.iter().filter(|region| region.number.is_none() == hidden) {
                let owner = region.number.map_or(Owner::Hidden, Owner::Region);
                machine.entries(place.pid, region.pages.clone(), |_, entry| {
                    owners.count(owner, entry);
                });
            }
        }
    }
    let groups = owners.group(machine.frames());

    let mut panel = Panel {
        mapped: groups.mapped,
        frames: groups.frames,
        used: machine.frames().used().into(),
        more_spaces: places.len() - shown.len(),
        ..Panel::default()
    };
    let mut where_shown = Vec::new();
    for (at, place) in shown.iter().filter_map(|at| places.get(*at)).enumerate() {
        let leaves = machine.leaves(place.pid, 0..PAGES);
        let mut space = Space {
            names: place.names.clone(),
            tables: machine.tables(place.pid),
            leaves: leaves.len() as u64,
            leaves_shared: leaves.iter().filter(|(_, shared)| *shared).count() as u64,
            more_regions: place.regions.iter().filter(|region| region.number.is_none()).count(),
            regions: Vec::new(),
        };
        for region in place.regions.iter().filter(|region| region.number.is_some()) {
            let range = region.pages.clone();
            let pages = runs::look(machine, &groups, place.pid, &place.areas, range.clone());
            where_shown.push((at, space.regions.len()));
            space.regions.push(Region {
                name: region.name.clone(),
                pages: range.end - range.start,
                rights: pages.rights,
                bands: pages.bands,
                strip: pages.strip,
            });
        }
        panel.spaces.push(space);
    }
    panel.groups = groups.shown(|number| where_shown.get(number).copied());
    panel
}

/// The address spaces of processes that have not ended, each once.
fn spaces(player: &Player) -> Vec<Place> {
    let machine = player.machine();
    let mut places: Vec<Place> = Vec::new();
    for pid in machine.processes().filter(|pid| machine.is_alive(*pid)) {
        let name = player.name(pid).to_owned();
        let mut regions = regions(player, pid);
        match places.iter_mut().find(|place| place.pid == host(machine, pid)) {
            Some(place) => {
                place.names.push(name);
                regions
                    .retain(|region| place.regions.iter().all(|known| known.pages != region.pages));
                place.regions.append(&mut regions);
            }
            None => {
                let areas = machine.areas(pid);
                places.push(Place { pid, names: vec![name], areas, regions });
            }
        }
    }
    places.iter_mut().for_each(add_areas);
    places
}

/// Whose address space a process is in: its parent's, while that sleeps after a `vfork`.
fn host(machine: &Machine, pid: Pid) -> Pid {
    let mut host = pid;
    while let Some(parent) = machine.parent(host)
        && machine.state(parent) == State::Asleep(host)
    {
        host = parent;
    }
    host
}

fn regions(player: &Player, pid: Pid) -> Vec<Found> {
    let found = |(name, start, pages): (&str, u64, u64)| Found {
        name: name.to_owned(),
        pages: start..start + pages,
        number: None,
    };
    player.regions(pid).map(found).filter(|region| !region.pages.is_empty()).collect()
}

/// Areas that are in no region of the trace are regions of their own.
fn add_areas(place: &mut Place) {
    let named = place.regions.len();
    for area in place.areas.iter() {
        let apart = |region: &Found| {
            region.pages.end <= area.pages.start || area.pages.end <= region.pages.start
        };
        if place.regions.iter().take(named).all(apart) {
            let name = area.name.as_deref().map(str::to_owned);
            place.regions.push(Found {
                name: name.unwrap_or_else(|| format!("{:#x}", area.pages.start * 4096)),
                pages: area.pages.clone(),
                number: None,
            });
        }
    }
}

/// The regions that are shown: those with most entries, in the order in which they were.
fn choose<'a>(machine: &Machine, place: &'a mut Place) -> impl Iterator<Item = &'a mut Found> {
    let mut sizes = Vec::new();
    if place.regions.len() > REGIONS {
        for (at, region) in place.regions.iter().enumerate() {
            let mut entries = 0_u64;
            machine.entries(place.pid, region.pages.clone(), |_, _| entries += 1);
            sizes.push((u64::MAX - entries, at));
        }
        sizes.sort_unstable();
        sizes.truncate(REGIONS);
    }
    let all = place.regions.len() <= REGIONS;
    let chosen = move |at: usize| all || sizes.iter().any(|(_, chosen)| *chosen == at);
    place
        .regions
        .iter_mut()
        .enumerate()
        .filter(move |(at, _)| chosen(*at))
        .map(|(_, region)| region)
}
