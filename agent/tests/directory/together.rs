//! One search over the whole domain and one for each selection bring the same people, and names that change while
//! everybody is sorted by them let nothing count.

use rollcall_agent::cycle::{CycleError, Extent, Purpose};
use rollcall_agent::directory::ceiling::NeverRead;
use rollcall_agent::directory::reader::Incomplete;
use rollcall_lab::directory::When;
use rollcall_protocol::batch::CycleKind;
use rollcall_protocol::desired::{Nesting, Selection, SelectionKind};

use crate::site::Site;

/// An OU, a group with others inside, and an excluded OU: small enough to be read apart once their size is known.
fn select_a_little_of_everything(site: &mut Site) {
    let berlin = Selection { guid: site.ou("Staff/Berlin"), kind: SelectionKind::Ou };
    let leads = site.directory.at("CN=Leads,OU=Security,OU=Groups").unwrap();
    let sales = site.ou("Staff/Berlin/Sales");
    let import = &mut site.desired.imports[0];
    import.include = vec![berlin, Selection { guid: leads, kind: SelectionKind::Group }];
    import.exclude = vec![sales];
    import.nesting = Nesting::Nested;
}

#[tokio::test]
async fn read_together_or_apart_everybody_has_the_same_record() {
    let mut site = Site::new(400);
    select_a_little_of_everything(&mut site);

    let together = site.sync().await.unwrap();
    let apart = site.cycle(Extent::Everybody, &[], Purpose::Publish).await.unwrap();

    assert!(together.people * 2 < together.people_in_domain && together.people > 10, "{together:?}");
    assert_eq!(apart.kind, CycleKind::Full);
    assert_eq!(
        (apart.people, apart.counts.added, apart.counts.changed, apart.counts.departed),
        (together.people, 0, 0, 0)
    );
}

#[tokio::test]
async fn a_selected_ou_that_is_renamed_while_everybody_is_read_loses_nobody() {
    let mut site = Site::synced(1_300, &["Staff"]).await;
    let (before, staff) = (site.seen(), site.ou("Staff"));
    site.directory.meanwhile(When::page(2).asking("805306368"), move |forest| {
        let staff = forest.get_guid(staff).unwrap();
        forest.rename(staff, "People").unwrap();
    });

    let error = site.sync().await.unwrap_err();
    let next = site.sync().await.unwrap();

    assert!(matches!(error, CycleError::Incomplete(Incomplete::ChangedMeanwhile)), "{error:?}");
    assert_eq!((next.counts.departed, next.counts.awaiting), (0, 0));
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn an_excluded_ou_that_is_renamed_while_everybody_is_read_lets_nobody_in() {
    let mut site = Site::new(1_300);
    site.select_ous(&["Staff"]);
    let berlin = site.ou("Staff/Berlin");
    site.desired.imports[0].exclude = vec![berlin];
    site.sync().await.unwrap();
    let before = site.seen();
    site.directory.meanwhile(When::page(1).asking("805306368"), move |forest| {
        let berlin = forest.get_guid(berlin).unwrap();
        forest.rename(berlin, "Hauptstadt").unwrap();
    });

    let error = site.sync().await.unwrap_err();
    site.sync().await.unwrap();

    assert!(matches!(error, CycleError::Incomplete(Incomplete::ChangedMeanwhile)), "{error:?}");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn people_in_more_groups_than_the_server_shows_at_once_are_found_by_the_server() {
    let mut site = Site::new(200);
    site.directory.set_rules(|rules| rules.max_values = 1);
    let staff = site.directory.at("CN=All Staff,OU=Security,OU=Groups").unwrap();
    site.select_group(staff);

    site.sync().await.unwrap();

    assert!(site.seen().len() > 100);
    assert_eq!(site.seen(), site.expected());
}

/// A little of the domain, read once, with a place inside it that must not be read: `Way::Apart` from now on.
async fn apart_around(kept_back: impl Fn(&mut Site, uuid::Uuid)) -> (Site, uuid::Uuid) {
    let mut site = Site::new(400);
    site.select_ous(&["Staff/Berlin"]);
    let sales = site.ou("Staff/Berlin/Sales");
    kept_back(&mut site, sales);
    let summary = site.sync().await.unwrap();
    assert!(summary.people * 2 < summary.people_in_domain && summary.people > 0, "{summary:?}");
    (site, sales)
}

fn rename_during(site: &Site, place: uuid::Uuid, moment: When) {
    site.directory.meanwhile(moment, move |forest| {
        let place = forest.get_guid(place).unwrap();
        forest.rename(place, "Vertrieb").unwrap();
    });
}

async fn renamed_meanwhile(kept_back: impl Fn(&mut Site, uuid::Uuid)) {
    let (mut site, sales) = apart_around(kept_back).await;
    let before = site.seen();
    rename_during(&site, sales, When::page(1).asking("805306368"));

    let error = site.sync().await.unwrap_err();
    site.sync().await.unwrap();

    assert!(matches!(error, CycleError::Incomplete(Incomplete::ChangedMeanwhile)), "{error:?}");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn an_excluded_ou_that_is_renamed_while_selections_are_read_apart_lets_nobody_in() {
    renamed_meanwhile(|site, sales| site.desired.imports[0].exclude = vec![sales]).await;
}

// proves: N-7
#[tokio::test]
async fn a_place_of_the_ceiling_that_is_renamed_while_selections_are_read_apart_lets_nobody_out() {
    renamed_meanwhile(|site, sales| site.access.never_read = NeverRead::parse(&[sales.to_string()]).unwrap()).await;
}

#[tokio::test]
async fn a_place_of_the_ceiling_that_is_renamed_while_everybody_is_read_together_lets_nobody_out() {
    let mut site = Site::new(400);
    site.select_ous(&["Staff"]);
    let sales = site.ou("Staff/Berlin/Sales");
    site.access.never_read = NeverRead::parse(&[sales.to_string()]).unwrap();
    rename_during(&site, sales, When::page(1).asking("805306368"));

    let error = site.sync().await.unwrap_err();

    assert!(matches!(error, CycleError::Incomplete(Incomplete::ChangedMeanwhile)), "{error:?}");
    assert!(site.seen().is_empty());
}
