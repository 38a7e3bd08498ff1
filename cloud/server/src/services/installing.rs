//! The ways to install an agent with a token: the same lines in the portal and in the API.

use serde::Serialize;
use utoipa::ToSchema;

/// One way to install, as a command to copy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Way {
    #[schema(example = "PowerShell")]
    pub label: &'static str,
    pub command: String,
    /// Where it is run, and what to expect.
    pub hint: &'static str,
}

/// All ways, the most asked for first. The address of the cloud stands inside the token.
pub fn ways(public_url: &str, token: &str) -> Vec<Way> {
    vec![
        Way {
            label: "msiexec",
            command: msiexec(token),
            hint: "The MSI comes with the next release and is not served here yet. Then: in an elevated command prompt, beside \
                   the MSI.",
        },
        Way {
            label: "PowerShell",
            command: powershell(public_url, token),
            hint: "The MSI comes with the next release and is not served here yet. Then: in an elevated PowerShell; downloads, \
                   checks the hash, installs without questions.",
        },
        Way {
            label: "RMM script",
            command: rmm(public_url, token),
            hint: "The MSI comes with the next release and is not served here yet. Then: for your RMM tool. Exit codes: 0 done, \
                   1 failed, 3010 restart needed.",
        },
        Way {
            label: "Linux",
            command: linux(token),
            hint: "As the agent's account, on a host that reaches a domain controller and where agent.toml is written. The \
                   second line stays running; a service starts the same line.",
        },
    ]
}

fn msiexec(token: &str) -> String {
    format!("msiexec /i rollcall-agent-x64.msi /qn /norestart ENROLLTOKEN={token} /l*v %TEMP%\\rollcall-msi.log")
}

fn powershell(public_url: &str, token: &str) -> String {
    format!(
        "$token = '{token}'\n\
         $msi = Join-Path $env:TEMP 'rollcall-agent-x64.msi'\n\
         Invoke-WebRequest -UseBasicParsing '{public_url}/download/rollcall-agent-x64.msi' -OutFile $msi\n\
         $want = (Invoke-RestMethod '{public_url}/download/rollcall-agent-x64.msi.sha256').Split(' ')[0]\n\
         if ((Get-FileHash $msi -Algorithm SHA256).Hash -ne $want) {{ throw 'The download is damaged.' }}\n\
         Start-Process msiexec -Wait -ArgumentList '/i', $msi, '/qn', '/norestart', \"ENROLLTOKEN=$token\""
    )
}

fn rmm(public_url: &str, token: &str) -> String {
    format!(
        "$ErrorActionPreference = 'Stop'\n\
         try {{\n\
         \x20 $msi = \"$env:TEMP\\rollcall-agent-x64.msi\"\n\
         \x20 Invoke-WebRequest -UseBasicParsing '{public_url}/download/rollcall-agent-x64.msi' -OutFile $msi\n\
         \x20 $p = Start-Process msiexec -Wait -PassThru -ArgumentList '/i', $msi, '/qn', '/norestart', 'ENROLLTOKEN={token}'\n\
         \x20 if ($p.ExitCode -in 0, 1641) {{ exit 0 }}\n\
         \x20 if ($p.ExitCode -eq 3010) {{ exit 3010 }}\n\
         }} catch {{ Write-Output $_ }}\n\
         exit 1"
    )
}

fn linux(token: &str) -> String {
    format!("rollcall-agent enroll --token {token}\nrollcall-agent run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_carries_the_token_once_and_quotes_it() {
        for way in ways("https://rollcall.example", "eyJ0.a-b_c.d") {
            assert_eq!(way.command.matches("eyJ0.a-b_c.d").count(), 1, "{}", way.label);
        }
    }

    #[test]
    fn no_way_promises_what_is_not_there_yet() {
        for way in ways("https://rollcall.example", "eyJ0.a-b_c.d") {
            let needs_msi = way.command.contains(".msi");
            assert_eq!(way.hint.contains("not served here yet"), needs_msi, "{}", way.label);
            assert!(!way.command.contains("systemctl"), "no package brings a unit: {}", way.label);
        }
        assert_eq!(linux("eyJ0"), "rollcall-agent enroll --token eyJ0\nrollcall-agent run");
    }
}
