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
            hint: "In an elevated command prompt, beside the downloaded MSI.",
        },
        Way {
            label: "PowerShell",
            command: powershell(public_url, token),
            hint: "In an elevated PowerShell: downloads, checks the hash, installs without questions.",
        },
        Way {
            label: "RMM script",
            command: rmm(public_url, token),
            hint: "For your RMM tool. Exit codes: 0 done, 1 failed, 3010 restart needed.",
        },
        Way { label: "Linux", command: linux(token), hint: "As root, on a host that reaches a domain controller." },
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
    format!("rollcall-agent enroll --token {token}\nsystemctl enable --now rollcall-agent")
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
}
