//! Where things stand in a panel: heights of bands, and frames at the height of who has them.
//!
//! A band's height grows with the cube root of its pages, so that one page and a million can stand
//! beside each other. A region is as high in all panels and all processes, if there is room: what is before
//! and after can be compared. Where each page has its own frame, a group of frames is as high as the pages are; where
//! many pages have one, it is lower, and the ribbon to it a funnel.

use std::collections::HashMap;

use super::super::panel::{Band, Group, Kind, Panel, Region};

/// Least height: one line of text.
const LEAST: f64 = 15.0;
/// The most that a band gets in addition.
const GROWTH: f64 = 88.0;
/// Panels that are higher than this get a smaller scale.
const HIGHEST: f64 = 860.0;
/// Height of a space's heading and a region's.
pub(super) const HEADING: f64 = 22.0;
pub(super) const LABEL: f64 = 16.0;
const REGION_GAP: f64 = 8.0;
const SPACE_GAP: f64 = 14.0;
const GROUP_GAP: f64 = 7.0;

/// A vertical extent.
#[derive(Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) top: f64,
    pub(super) height: f64,
}

impl Extent {
    pub(super) fn end(self) -> f64 {
        self.top + self.height
    }

    /// From one part of it to another, parts being between 0 and 1.
    pub(super) fn part(self, from: f64, to: f64) -> (f64, f64) {
        (self.top + self.height * from, self.top + self.height * to)
    }
}

pub(super) struct RegionPlace {
    pub(super) whole: Extent,
    pub(super) bands: Vec<Extent>,
}

pub(super) struct SpacePlace {
    pub(super) top: f64,
    pub(super) regions: Vec<RegionPlace>,
    /// Where the line about further regions goes.
    pub(super) end: f64,
}

/// The places of all in a panel, from its body's top.
pub(super) struct Layout {
    pub(super) spaces: Vec<SpacePlace>,
    pub(super) groups: Vec<Extent>,
    pub(super) height: f64,
}

/// What all panels have in common.
pub(super) struct Scale {
    /// What the largest band gets in addition to the least height.
    growth: f64,
    /// The cube root of its pages.
    largest: f64,
    /// The height of a region, by its name and its pages: the same in all processes. Empty: each has
    /// the height that its bands need.
    regions: HashMap<(String, u64), f64>,
}

impl Scale {
    /// The largest scale at which the highest panel is still seen as a whole, or the least. That
    /// regions are as high everywhere is given up before anything becomes small.
    pub(super) fn new(panels: &[Panel]) -> Scale {
        let mut growth = GROWTH;
        loop {
            let scale = Scale::with_growth(panels, growth);
            let fits = |panel: &Panel| Layout::new(panel, &scale).height <= HIGHEST;
            if growth < GROWTH / 8.0 || panels.iter().all(fits) {
                return scale;
            }
            growth *= 0.8;
        }
    }

    fn with_growth(panels: &[Panel], growth: f64) -> Scale {
        let regions =
            || panels.iter().flat_map(|panel| &panel.spaces).flat_map(|space| &space.regions);
        let most = regions()
            .flat_map(|region| &region.bands)
            .filter(|band| band.kind.is_present())
            .map(|band| band.pages)
            .max();
        let largest = (most.unwrap_or(1).max(1) as f64).cbrt();
        let mut scale = Scale { growth, largest, regions: HashMap::new() };
        for region in regions().filter(|_| growth > GROWTH / 3.0) {
            let height = region.bands.iter().map(|band| LEAST + scale.weight(band)).sum();
            let known = scale.regions.entry(key(region)).or_insert(LEAST);
            *known = known.max(height);
        }
        scale
    }

    /// What so many pages or frames get in addition to the least height.
    fn grown(&self, pages: u64) -> f64 {
        ((pages as f64).cbrt() / self.largest).min(1.0) * self.growth
    }

    /// What is not there is not to take the place of what is.
    fn weight(&self, band: &Band) -> f64 {
        let grown = self.grown(band.pages);
        if band.kind.is_present() { grown } else { grown.min(12.0) }
    }

    fn region(&self, region: &Region) -> f64 {
        let known = self.regions.get(&key(region));
        match known.filter(|_| region.bands.iter().any(|band| band.kind.is_present())) {
            Some(height) => *height,
            None => region.bands.iter().map(|band| LEAST + self.weight(band)).sum(),
        }
    }
}

fn key(region: &Region) -> (String, u64) {
    (region.name.clone(), region.pages)
}

impl Layout {
    pub(super) fn new(panel: &Panel, scale: &Scale) -> Layout {
        let mut spaces = Vec::new();
        let mut at = 0.0;
        for space in &panel.spaces {
            let top = at;
            at += HEADING;
            let mut regions = Vec::new();
            for region in &space.regions {
                let whole = Extent { top: at + LABEL, height: scale.region(region) };
                regions.push(RegionPlace { whole, bands: bands(region, whole, scale) });
                at = whole.end() + REGION_GAP;
            }
            let end = at;
            if space.more_regions > 0 {
                at += LABEL;
            }
            spaces.push(SpacePlace { top, regions, end });
            at += SPACE_GAP;
        }
        let end = (at - SPACE_GAP - REGION_GAP).max(0.0);
        let groups = groups(panel, &spaces, scale, HEADING + LABEL, end);
        let height = groups.iter().map(|group| group.end()).fold(end, f64::max);
        Layout { spaces, groups, height }
    }
}

/// Shares a region's height among its bands.
fn bands(region: &Region, whole: Extent, scale: &Scale) -> Vec<Extent> {
    let weights: f64 = region.bands.iter().map(|band| scale.weight(band)).sum();
    let free = (whole.height - LEAST * region.bands.len() as f64).max(0.0);
    let mut top = whole.top;
    let place = |band: &Band| {
        let height = LEAST + free * scale.weight(band) / weights.max(f64::MIN_POSITIVE);
        top += height;
        Extent { top: top - height, height }
    };
    region.bands.iter().map(place).collect()
}

/// Puts each group beside who has it, as far as the others let it. Swap comes last.
fn groups(
    panel: &Panel,
    spaces: &[SpacePlace],
    scale: &Scale,
    start: f64,
    end: f64,
) -> Vec<Extent> {
    let wishes: Vec<(f64, f64)> = panel
        .groups
        .iter()
        .enumerate()
        .map(|(number, group)| wish(panel, spaces, scale, number, group).unwrap_or((end, LEAST)))
        .collect();
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    let is_swap = |place: usize| panel.groups[place].kind == Kind::Swapped;
    order.sort_by(|a, b| is_swap(*a).cmp(&is_swap(*b)).then(wishes[*a].0.total_cmp(&wishes[*b].0)));
    let mut places = vec![Extent::default(); wishes.len()];
    let mut free = start;
    for place in &order {
        let (middle, height) = wishes[*place];
        places[*place] = Extent { top: free.max(middle - height / 2.0), height };
        free = places[*place].end() + GROUP_GAP;
    }
    // Back up, where the last ones were pushed below the end.
    let all: f64 = wishes.iter().map(|(_, height)| height + GROUP_GAP).sum::<f64>() - GROUP_GAP;
    let mut bottom = end.max(start + all);
    for place in order.iter().rev() {
        let extent = &mut places[*place];
        extent.top = extent.top.min(bottom - extent.height);
        bottom = extent.top - GROUP_GAP;
    }
    places
}

/// The middle and the height that a group would like.
fn wish(
    panel: &Panel,
    spaces: &[SpacePlace],
    scale: &Scale,
    number: usize,
    group: &Group,
) -> Option<(f64, f64)> {
    let (mut sum, mut count) = (0.0, 0.0);
    // Of one owner: pages, and their height.
    let mut widest = (0, 0.0);
    for (space, region) in &group.owners {
        let bands = &panel.spaces.get(*space)?.regions.get(*region)?.bands;
        let places = &spaces.get(*space)?.regions.get(*region)?.bands;
        let mut owned = (0, 0.0);
        for (band, place) in bands.iter().zip(places).filter(|(band, _)| band.group == Some(number))
        {
            owned = (owned.0 + band.pages, owned.1 + place.height);
            sum += (place.top + place.height / 2.0) * place.height;
            count += place.height;
        }
        if owned.1 > widest.1 {
            widest = owned;
        }
    }
    let (pages, height) = widest;
    let own = LEAST + scale.grown(group.frames);
    let height = if pages <= group.frames && group.folded <= 1 { height } else { own.min(height) };
    (count > 0.0).then(|| (sum / count, height.max(LEAST)))
}
