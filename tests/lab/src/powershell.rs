//! Reads PowerShell by a grammar and names what Windows PowerShell 5.1, which every Windows Server has, would not take, or
//! would take for something else. No PowerShell can be run here: it comes by no package that this project may use.

use tree_sitter::{Node, Parser, Tree};

/// What is wrong with a script, with the number of the line; nothing, if nothing is.
pub fn mistakes(script: &str) -> Vec<String> {
    let Some(tree) = parse(script) else { return vec!["the grammar could not be loaded".to_owned()] };
    let mut found = Vec::new();
    let mut waiting = vec![tree.root_node()];
    while let Some(node) = waiting.pop() {
        found.extend(wrong(&node, script).map(|what| format!("line {}: {what}", node.start_position().row + 1)));
        let mut cursor = node.walk();
        waiting.extend(node.children(&mut cursor));
    }
    let foreign = script.lines().position(|line| !line.is_ascii());
    found.extend(
        foreign.map(|line| format!("line {}: without a mark at its beginning the file is read as ANSI", line + 1)),
    );
    found
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
        let found = mistakes("$ErrorActionPreference = 'Stop'\n& $agent status *> $null\n");

        assert_eq!(found, ["line 2: a program's first line on a redirected standard error ends the script"]);
    }

    #[test]
    fn letters_beyond_ascii_and_the_last_token_inside_quotes_are_told() {
        let ansi = mistakes("# Bj\u{f6}rn\n");
        let token = mistakes("$a -match \"NT SERVICE|\\$$\"\n");

        assert!(ansi.iter().any(|what| what.contains("ANSI")), "{ansi:?}");
        assert!(token.iter().any(|what| what.contains("$$ is a variable")), "{token:?}");
    }
}
