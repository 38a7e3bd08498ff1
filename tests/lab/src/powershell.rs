//! Reads PowerShell by a grammar and names what Windows PowerShell 5.1, which every Windows Server has, would not take, or
//! would take for something else. No PowerShell can be run here: it comes by no package that this project may use.

use tree_sitter::{Node, Parser, Tree};

/// What is wrong with a script, with the number of the line; nothing, if nothing is.
pub fn mistakes(script: &str) -> Vec<String> {
    let Some(tree) = parse(script) else { return vec!["the grammar could not be loaded".to_owned()] };
    let nodes = everything(tree.root_node());
    let told = |node: &Node<'_>, what: String| format!("line {}: {what}", node.start_position().row + 1);
    let mut found: Vec<String> =
        nodes.iter().filter_map(|node| wrong(node, script).map(|what| told(node, what.to_owned()))).collect();
    found.extend(never_set(&nodes, script).iter().map(|(node, name)| told(node, format!("nothing ever sets ${name}"))));
    let foreign = script.lines().position(|line| !line.is_ascii());
    found.extend(
        foreign.map(|line| format!("line {}: without a mark at its beginning the file is read as ANSI", line + 1)),
    );
    found
}

fn everything(root: Node<'_>) -> Vec<Node<'_>> {
    let (mut nodes, mut waiting) = (Vec::new(), vec![root]);
    while let Some(node) = waiting.pop() {
        let mut cursor = node.walk();
        waiting.extend(node.children(&mut cursor));
        nodes.push(node);
    }
    nodes
}

/// Variables that PowerShell sets itself, or reads to know what to do.
const AUTOMATIC: [&str; 12] = [
    "_",
    "args",
    "true",
    "false",
    "null",
    "matches",
    "error",
    "lastexitcode",
    "psscriptroot",
    "myinvocation",
    "erroractionpreference",
    "progresspreference",
];

/// Variables that are read and that nothing sets: a script takes nothing for something there, or ends.
fn never_set<'t>(nodes: &[Node<'t>], script: &str) -> Vec<(Node<'t>, String)> {
    let variables = nodes.iter().filter(|node| node.kind() == "variable");
    let named = variables.filter_map(|node| Some((*node, name_of(&script[node.byte_range()])?)));
    let (set, read): (Vec<_>, Vec<_>) = named.partition(|(node, _)| is_set_here(*node));
    let is_known = |name: &String| AUTOMATIC.contains(&name.as_str()) || set.iter().any(|(_, set)| set == name);
    read.into_iter().filter(|(_, name)| !is_known(name)).collect()
}

/// Names are compared without regard to case; the environment is not the script's.
fn name_of(variable: &str) -> Option<String> {
    let name = variable.trim_start_matches(['$', '@', '{']).trim_end_matches('}').to_ascii_lowercase();
    match name.split_once(':') {
        Some(("env", _)) => None,
        Some((_, name)) => Some(name.to_owned()),
        None => Some(name),
    }
}

/// A parameter, what a loop goes through, and the left side of an assignment; not something inside that side.
fn is_set_here(variable: Node<'_>) -> bool {
    let mut at = variable;
    while let Some(above) = at.parent() {
        match above.kind() {
            "script_parameter" | "foreach_statement" | "left_assignment_expression" => return true,
            "member_access" | "element_access" | "script_parameter_default" => return false,
            _ if above.byte_range().end != variable.byte_range().end => return false,
            _ => at = above,
        }
    }
    false
}

fn parse(script: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).ok()?;
    parser.parse(script, None)
}

fn wrong(node: &Node<'_>, script: &str) -> Option<&'static str> {
    let text = &script[node.byte_range()];
    if node.is_error() || node.is_missing() {
        return Some("not PowerShell, or of a newer one");
    }
    match node.kind() {
        "pipeline_chain_tail" => Some("&& and || came with PowerShell 7"),
        "expandable_string_literal" if text.contains("$$") => Some("$$ is a variable inside double quotes"),
        "redirection" if text.starts_with(['2', '*']) && ends_at_errors(script, node.start_byte()) => {
            Some("a program's first line on a redirected standard error ends the script")
        }
        _ => None,
    }
}

/// What the last word before this place says of errors.
fn ends_at_errors(script: &str, at: usize) -> bool {
    let before = script[..at].rsplit_once("$ErrorActionPreference = ");
    before.is_none_or(|(_, word)| !word.starts_with("'Continue'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_powershell_takes_is_no_mistake() {
        let script = "param([string] $Name)\n$ErrorActionPreference = 'Continue'\n\
                      $said = (& $Name status 2>&1 | ForEach-Object { \"$_\" }) -join \"`n\"\nif ($LASTEXITCODE -eq 0) { exit 0 }\n";

        assert_eq!(mistakes(script), Vec::<String>::new());
    }

    #[test]
    fn a_brace_that_is_never_closed_and_newer_operators_are_told_with_their_line() {
        for script in
            ["$a = 1\nif ($a) {", "$a = 1\n$b = $a ?? 2", "$a = 1\n$b = $a ? 1 : 2", "$a = 1\nGet-Item x && Get-Item y"]
        {
            let found = mistakes(script);

            assert!(found.iter().any(|what| what.starts_with("line ")), "{script}: {found:?}");
        }
    }

    #[test]
    fn a_redirection_where_errors_end_the_script_is_told() {
        let found = mistakes("$ErrorActionPreference = 'Stop'; $agent = 'agent'\n& $agent status *> $null\n");

        assert_eq!(found, ["line 2: a program's first line on a redirected standard error ends the script"]);
    }

    #[test]
    fn a_variable_that_nothing_sets_is_told_and_one_that_anything_sets_is_not() {
        let script = "param([string] $Name)\n$one = 1\nforeach ($each in $one) { \"$Each $name $env:TEMP\" }\n\
                      function Get-It([int] $count) { $script:total = $count }\n$total\nJoin-Path $home_ $one\n";

        assert_eq!(mistakes(script), ["line 6: nothing ever sets $home_"]);
    }

    #[test]
    fn letters_beyond_ascii_and_the_last_token_inside_quotes_are_told() {
        let ansi = mistakes("# Bj\u{f6}rn\n");
        let token = mistakes("$a -match \"NT SERVICE|\\$$\"\n");

        assert!(ansi.iter().any(|what| what.contains("ANSI")), "{ansi:?}");
        assert!(token.iter().any(|what| what.contains("$$ is a variable")), "{token:?}");
    }
}
