//! Draws one panel: what was done, the processes with their pages, the frames, and the ribbons.

use svg::node::element::{Group, Path};

use super::{
    super::panel::{Band, Group as Frames, Kind, Panel, Region, Space, Step},
    append,
    layout::{Extent, HEADING, Layout, RegionPlace},
    shapes::{fit, px, rectangle, ribbon, text, title, width},
};
use crate::output::grouped;

/// Of a panel; three of them fill 1400 pixels.
pub(super) const WIDTH: f64 = 440.0;
/// Below what is drawn.
pub(super) const FOOT: f64 = 54.0;

const PAD: f64 = 14.0;
const STRIP: f64 = 8.0;
const BANDS: f64 = PAD + STRIP + 4.0;
const BAND_WIDTH: f64 = 158.0;
const FRAMES: f64 = WIDTH - PAD - FRAME_WIDTH;
const FRAME_WIDTH: f64 = 148.0;

/// Operations that are listed.
const STEPS: usize = 5;
const STEP: f64 = 15.0;
/// Of the line of a title.
const TITLE: f64 = 26.0;

/// The listed operations: those that did something first, then the first and the last of them.
fn steps(panel: &Panel) -> (Vec<&Step>, usize) {
    let mut steps: Vec<&Step> = panel.since.iter().collect();
    if steps.len() > STEPS {
        steps.retain(|step| !step.quiet);
    }
    if steps.len() > STEPS {
        steps.drain(2..steps.len() - (STEPS - 3));
    }
    let more = panel.since.len() - steps.len();
    (steps, more)
}

/// Of all above the drawing proper.
pub(super) fn head_height(panel: &Panel) -> f64 {
    let (steps, more) = steps(panel);
    let lines = steps.len() + usize::from(more > 0);
    TITLE + lines as f64 * STEP + 50.0
}

pub(super) fn draw(
    panel: &Panel,
    layout: &Layout,
    (left, top): (f64, f64),
    head: f64,
    height: f64,
) -> Group {
    let mut group = Group::new().set("transform", format!("translate({},{})", px(left), px(top)));
    append(&mut group, rectangle("panel", (0.5, 0.5), (WIDTH - 1.0, height - 1.0)).set("rx", 8));
    heading(&mut group, panel, head);
    let mut body = Group::new().set("transform", format!("translate(0,{})", px(head)));
    ribbons(&mut body, panel, layout);
    for (space, place) in panel.spaces.iter().zip(&layout.spaces) {
        space_heading(&mut body, space, place.top);
        for (region, place) in space.regions.iter().zip(&place.regions) {
            draw_region(&mut body, space, region, place);
        }
        if space.more_regions > 0 {
            let more = format!("and {}", counted(space.more_regions as u64, "more region"));
            append(&mut body, text("soft", (BANDS, place.end + 6.0), &more));
        }
    }
    for (frames, place) in panel.groups.iter().zip(&layout.groups) {
        draw_frames(&mut body, panel, frames, *place);
    }
    append(&mut group, body);
    footer(&mut group, panel, height);
    group
}

fn heading(group: &mut Group, panel: &Panel, head: f64) {
    append(group, text("h2", (PAD, TITLE), &fit(&panel.label, WIDTH - 120.0, 17.0)));
    let line = format!("after line {}", grouped(panel.line as u64));
    append(group, text("soft end", (WIDTH - PAD, TITLE), &line));
    let (steps, more) = steps(panel);
    let mut y = TITLE + 4.0;
    for (at, step) in steps.iter().enumerate() {
        if more > 0 && at == steps.len().min(2) {
            y += STEP;
            append(group, text("soft", (PAD, y), &more_operations(more)));
        }
        y += STEP;
        let effect = fit(&step.effect, 190.0, 11.0);
        // The characters of a fixed-width font are wider than those that `fit` has in mind.
        let room = (WIDTH - PAD * 2.0 - 12.0 - width(&effect, 11.0)) * 0.86;
        append(group, text("mono", (PAD, y), &fit(&step.text, room, 10.5)));
        append(group, text("soft end", (WIDTH - PAD, y), &effect));
    }
    if more > 0 && steps.len() <= 2 {
        append(group, text("soft", (PAD, y + STEP), &more_operations(more)));
    }
    let line = Path::new()
        .set("class", "rule")
        .set("d", format!("M0.5,{0}H{1}", px(head - 36.0), WIDTH - 0.5));
    append(group, line);
    append(group, text("cap", (PAD, head - 18.0), "ADDRESS SPACES"));
    append(group, text("cap", (FRAMES, head - 18.0), "PHYSICAL FRAMES"));
}

fn more_operations(more: usize) -> String {
    format!("… {}", counted(more as u64, "more operation"))
}

/// A number of things.
fn counted(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", grouped(number))
}

fn footer(group: &mut Group, panel: &Panel, height: f64) {
    let saved = panel.mapped.saturating_sub(panel.frames);
    let line = match (panel.mapped, saved) {
        (0, _) => "no page has a frame of its own".to_owned(),
        (1, _) => "1 page in 1 frame".to_owned(),
        (mapped, 0) => format!("{} pages in as many frames", grouped(mapped)),
        (mapped, saved) => {
            let frames = counted(panel.frames, "frame");
            format!("{} pages in {frames}: {} saved", grouped(mapped), grouped(saved))
        }
    };
    append(group, text("strong", (PAD, height - 28.0), &line));
    let rest = panel.used.saturating_sub(panel.frames);
    let rest = format!("and {} for tables and caches", counted(rest, "frame"));
    append(group, text("soft", (PAD, height - 13.0), &rest));
    if panel.more_spaces > 0 {
        let more = match panel.more_spaces {
            1 => "1 more process is not shown".to_owned(),
            more => format!("{} more processes are not shown", grouped(more as u64)),
        };
        append(group, text("soft end", (WIDTH - PAD, height - 13.0), &more));
    }
}

fn space_heading(group: &mut Group, space: &Space, y: f64) {
    let names = space.names.join(", ");
    let names = if space.names.len() > 1 { format!("{names} (vfork)") } else { names };
    let names = fit(&names, 110.0, 14.0);
    append(group, text("who", (PAD, y + 14.0), &names));
    let tables = match space.leaves_shared {
        0 => counted(space.tables, "table"),
        shared => format!(
            "{} tables; {} of {} leaves shared",
            grouped(space.tables),
            grouped(shared),
            grouped(space.leaves)
        ),
    };
    let from = PAD + width(&names, 14.0) + 10.0;
    append(group, text("soft", (from, y + 14.0), &tables));
    if space.regions.is_empty() {
        append(group, text("soft", (BANDS, y + HEADING + 8.0), "no regions"));
    }
}

fn draw_region(group: &mut Group, space: &Space, region: &Region, place: &RegionPlace) {
    let whole = place.whole;
    let name = fit(&region.name, 70.0, 11.0);
    append(group, text("strong", (BANDS, whole.top - 4.0), &name));
    let about = format!("{}  {}", counted(region.pages, "page"), region.rights);
    let from = BANDS + width(&name, 12.0) + 8.0;
    append(group, text("soft", (from, whole.top - 4.0), &about));

    let cells: usize = region.strip.iter().map(|stretch| stretch.cells).sum();
    let mut from = 0;
    for stretch in &region.strip {
        let (top, end) = whole.part(part(from, cells), part(from + stretch.cells, cells));
        from += stretch.cells;
        if stretch.kind.is_present() {
            let class = format!("{} d{}", stretch.kind.name(), stretch.density);
            append(group, rectangle(&class, (PAD, top), (STRIP, end - top)));
        }
    }
    append(group, rectangle("unmapped", (PAD, whole.top), (STRIP, whole.height)));
    for (band, place) in region.bands.iter().zip(&place.bands) {
        draw_band(group, space, region, band, *place);
    }
}

fn draw_band(group: &mut Group, space: &Space, region: &Region, band: &Band, place: Extent) {
    let at = (BANDS, place.top + 0.5);
    let size = (BAND_WIDTH, place.height - 1.0);
    let pages = grouped(band.pages);
    let span = match (band.runs, band.first == band.last) {
        (1, true) => grouped(band.first),
        (1, false) => format!("{}–{}", grouped(band.first), grouped(band.last)),
        (runs, _) => counted(runs, "run"),
    };
    let by_table = if band.by_table { ", in page tables that others have too" } else { "" };
    let tip = format!(
        "{} {}: {} {} ({}){by_table}, {span}",
        space.names.join(", "),
        region.name,
        counted(band.pages, "page"),
        band.kind.name(),
        band.kind.meaning()
    );
    append(group, rectangle(band.kind.name(), at, size).set("rx", 2).add(title(&tip)));
    if band.kind == Kind::Guard {
        append(group, rectangle("barred", at, size).set("rx", 2));
    }
    if band.by_table {
        append(group, rectangle("table", at, size).set("rx", 2));
    }
    ticks(group, band, place);
    let label = format!("{pages} {}", band.kind.name());
    let label = match &band.rights {
        Some(rights) => format!("{label} {rights}"),
        None => label,
    };
    let baseline = place.top + place.height / 2.0 + 4.0;
    let class = on(band.kind);
    append(group, text(class, (BANDS + 6.0, baseline), &label));
    if width(&label, 11.5) + width(&span, 11.0) + 18.0 < BAND_WIDTH {
        append(group, text(&format!("{class} end"), (BANDS + BAND_WIDTH - 6.0, baseline), &span));
    }
}

/// Notches between pages, where these are few enough to be seen one by one.
fn ticks(group: &mut Group, band: &Band, place: Extent) {
    const NOTCH: f64 = 4.0;
    let step = place.height / band.pages as f64;
    if band.runs > 1 || band.pages < 2 || step < 4.0 || !band.kind.is_present() {
        return;
    }
    let sides = [BANDS, BANDS + BAND_WIDTH - NOTCH].map(px);
    let mut lines = String::new();
    for page in 1..band.pages {
        let y = px(place.top + step * page as f64);
        sides.iter().for_each(|x| lines.push_str(&format!("M{x},{y}h{NOTCH}")));
    }
    append(group, Path::new().set("class", "tick").set("d", lines));
}

/// The class of text on a band.
fn on(kind: Kind) -> &'static str {
    match kind {
        Kind::Private => "on-private",
        Kind::Untouched | Kind::Unmapped => "off",
        _ => "on",
    }
}

fn draw_frames(group: &mut Group, panel: &Panel, frames: &Frames, place: Extent) {
    let owners = owners(panel, frames);
    let (one, many) = match frames.kind {
        Kind::Swapped => ("slot in swap", "slots in swap"),
        Kind::Zero => ("zero frame", "zero frames"),
        _ => ("frame", "frames"),
    };
    let what =
        format!("{} {}", grouped(frames.frames), if frames.frames == 1 { one } else { many });
    let times = match (frames.fewest, frames.most) {
        (fewest, most) if fewest == most => format!("× {}", grouped(most)),
        (fewest, most) => format!("× {}–{}", grouped(fewest), grouped(most)),
    };
    let folded = match frames.folded {
        0 | 1 => String::new(),
        folded => format!(", {folded} groups with other owners each"),
    };
    let tip = format!("{what} {}, mapped {times}{folded}: {owners}", frames.kind.name());
    let (at, size) = ((FRAMES, place.top + 0.5), (FRAME_WIDTH, place.height - 1.0));
    append(group, rectangle(frames.kind.name(), at, size).set("rx", 2).add(title(&tip)));
    let class = on(frames.kind);
    let two = place.height >= 32.0;
    let baseline = place.top + place.height / 2.0 + if two { -3.0 } else { 4.0 };
    let beside = format!("{what}, {owners}");
    let room = FRAME_WIDTH - 18.0 - width(&times, 12.0);
    let first = if !two && width(&beside, 11.0) < room { &beside } else { &what };
    append(group, text(class, (FRAMES + 6.0, baseline), first));
    let end = (FRAMES + FRAME_WIDTH - 6.0, baseline);
    append(group, text(&format!("{class} end strong"), end, &times));
    if two {
        let owners = fit(&owners, FRAME_WIDTH - 12.0, 11.0);
        append(group, text(class, (FRAMES + 6.0, baseline + 14.0), &owners));
    }
}

/// Who has a group: processes, each once.
fn owners(panel: &Panel, frames: &Frames) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (space, _) in &frames.owners {
        for name in panel.spaces.get(*space).into_iter().flat_map(|space| &space.names) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    if frames.hidden {
        names.push("others");
    }
    let names = names.join(", ");
    if frames.folded > 1 { format!("some of {names}") } else { names }
}

/// From every band to its frames: several bands of one region share the height of the frames.
fn ribbons(group: &mut Group, panel: &Panel, layout: &Layout) {
    for (number, (frames, to)) in panel.groups.iter().zip(&layout.groups).enumerate() {
        for (space, region) in &frames.owners {
            let bands = panel.spaces.get(*space).and_then(|space| space.regions.get(*region));
            let places = layout.spaces.get(*space).and_then(|space| space.regions.get(*region));
            let (Some(region), Some(places)) = (bands, places) else { continue };
            let mine = || {
                let all = region.bands.iter().zip(&places.bands);
                all.filter(|(band, _)| band.group == Some(number))
            };
            let heights: f64 = mine().map(|(_, place)| place.height).sum();
            let mut done = 0.0;
            for (_, place) in mine() {
                let next = done + place.height / heights.max(f64::MIN_POSITIVE);
                let class = format!("{} flow", frames.kind.name());
                let sides = (BANDS + BAND_WIDTH + 1.0, FRAMES - 1.0);
                let from = place.part(0.0, 1.0);
                let (top, end) = to.part(done, next);
                let inside = (from.0 + 0.5, from.1 - 0.5);
                append(group, ribbon(&class, sides, inside, (top + 0.5, end - 0.5)));
                done = next;
            }
        }
    }
}

fn part(cells: usize, all: usize) -> f64 {
    cells as f64 / all.max(1) as f64
}
