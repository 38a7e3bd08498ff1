//! The organisational units of a directory as a tree to choose from, drawn with native details and checkboxes only.

use askama::Template;
use uuid::Uuid;

/// One unit as the store knows it, with what the form has ticked.
#[derive(Debug, Clone)]
pub struct Unit {
    pub guid: Uuid,
    pub parent: Option<Uuid>,
    pub name: String,
    pub people: i64,
    pub why_not: Option<&'static str>,
    pub chosen: bool,
    pub excluded: bool,
}

/// A unit with those below it.
#[derive(Debug, Template)]
#[template(path = "parts/tree_node.html")]
pub struct TreeNode {
    pub guid: Uuid,
    pub name: String,
    /// With everything below.
    pub people: i64,
    pub why_not: Option<&'static str>,
    pub chosen: bool,
    pub excluded: bool,
    pub open: bool,
    pub children: Vec<TreeNode>,
}

/// Deeper nesting than any directory allows (MS-ADTS limits a DN to 255 parts) is cut, so that a loop cannot hang us.
const DEEPEST: usize = 64;

/// Orders units into trees. A unit whose parent is not among them becomes a root.
pub fn grow(units: &[Unit]) -> Vec<TreeNode> {
    let mut below: std::collections::HashMap<Option<Uuid>, Vec<&Unit>> = std::collections::HashMap::new();
    let known: std::collections::HashSet<Uuid> = units.iter().map(|unit| unit.guid).collect();
    for unit in units {
        below.entry(unit.parent.filter(|parent| known.contains(parent))).or_default().push(unit);
    }
    branch(&below, None, 0)
}

fn branch(
    below: &std::collections::HashMap<Option<Uuid>, Vec<&Unit>>,
    of: Option<Uuid>,
    depth: usize,
) -> Vec<TreeNode> {
    if depth > DEEPEST {
        return Vec::new();
    }
    let mut units = below.get(&of).cloned().unwrap_or_default();
    units.sort_by_key(|unit| unit.name.to_lowercase());
    units.into_iter().map(|unit| node(unit, branch(below, Some(unit.guid), depth + 1), depth)).collect()
}

fn node(unit: &Unit, children: Vec<TreeNode>, depth: usize) -> TreeNode {
    let people = unit.people + children.iter().map(|child| child.people).sum::<i64>();
    let leads_to_a_mark = children.iter().any(|child| child.chosen || child.excluded || child.open);
    TreeNode {
        guid: unit.guid,
        name: unit.name.clone(),
        people,
        why_not: unit.why_not,
        chosen: unit.chosen,
        excluded: unit.excluded,
        open: depth == 0 || leads_to_a_mark,
        children,
    }
}

/// How many people the ticked units hold: everything below a chosen unit, less everything below an excluded one.
pub fn people_in_scope(trees: &[TreeNode]) -> i64 {
    trees.iter().map(|tree| count(tree, Within::Outside)).sum()
}

#[derive(Clone, Copy)]
enum Within {
    Chosen,
    Outside,
}

fn count(node: &TreeNode, within: Within) -> i64 {
    if node.excluded {
        return 0;
    }
    let within = if node.chosen { Within::Chosen } else { within };
    let below: i64 = node.children.iter().map(|child| count(child, within)).sum();
    let here = node.people - node.children.iter().map(|child| child.people).sum::<i64>();
    match within {
        Within::Chosen => here + below,
        Within::Outside => below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: u128, parent: u128, people: i64) -> Unit {
        Unit {
            guid: Uuid::from_u128(id),
            parent: (parent > 0).then(|| Uuid::from_u128(parent)),
            name: format!("Unit {id}"),
            people,
            why_not: None,
            chosen: false,
            excluded: false,
        }
    }

    #[test]
    fn a_unit_counts_everybody_below_it() {
        let trees = grow(&[unit(1, 0, 1), unit(2, 1, 10), unit(3, 2, 100)]);

        assert_eq!(trees.len(), 1);
        assert_eq!(trees[0].people, 111);
    }

    #[test]
    fn a_chosen_unit_brings_everybody_below_it_but_those_left_out() {
        let chosen = Unit { chosen: true, ..unit(1, 0, 1) };
        let left_out = Unit { excluded: true, ..unit(3, 2, 100) };

        let trees = grow(&[chosen, unit(2, 1, 10), left_out, unit(4, 3, 1000)]);

        assert_eq!(people_in_scope(&trees), 11);
    }

    #[test]
    fn units_in_a_circle_do_not_hang_the_page() {
        let trees = grow(&[unit(1, 2, 1), unit(2, 1, 1), unit(3, 0, 5)]);

        assert_eq!(people_in_scope(&trees), 0);
        assert_eq!(trees.len(), 1);
    }
}
