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

/// All ways, the most asked for first. The address of the cloud stands inside the token. `sha256` is of the MSI that
/// this cloud hands out; without one the ways that need it are not offered.
pub fn ways(public_url: &str, token: &str, sha256: Option<&str>) -> Vec<Way> {
    let windows = sha256.map(|sha256| of_windows(public_url, token, sha256)).unwrap_or_default();
    windows.into_iter().chain([linux(token)]).collect()
}

fn of_windows(public_url: &str, token: &str, sha256: &str) -> Vec<Way> {
    vec![
        Way {
            label: "msiexec",
            command: msiexec(token),
            hint: "In an elevated command prompt, in the folder of the downloaded MSI. The service enrols by itself; the steps \
                   beside show when it has.",
        },
        Way {
            label: "PowerShell",
            command: powershell(public_url, token, sha256),
            hint: "In an elevated PowerShell: downloads with the token, checks the hash, installs without questions.",
        },
        Way {
            label: "RMM script",
            command: rmm(public_url, token, sha256),
            hint: "For your RMM tool, as the system account. Exit codes: 0 installed and enrolled, 1 failed, 3010 restart \
                   needed.",
        },
        Way {
            label: "GPO, Intune",
            command: msiexec(token),
            hint: "As the install command of a line-of-business app (Intune) or in a start-up script (GPO). One token enrols \
                   one machine, so assign it to one. Uninstall: msiexec /x with the product code.",
        },
    ]
}

fn msiexec(token: &str) -> String {
    format!("msiexec /i rollcall-agent-x64.msi /qn /norestart ENROLLTOKEN={token} /l*v %TEMP%\\rollcall-msi.log")
}

/// Into a folder that nobody else knows: a file in a shared folder could be exchanged between check and installation.
/// Every line is one that Windows PowerShell 5.1 takes, as every Windows Server has it.
fn download(public_url: &str, token: &str, sha256: &str) -> String {
    format!(
        "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'\n\
         [Net.ServicePointManager]::SecurityProtocol = 'Tls12'\n\
         $token = '{token}'\n\
         $folder = Join-Path $env:TEMP ([guid]::NewGuid())\n\
         $null = New-Item -ItemType Directory -Path $folder\n\
         try {{\n\
         \x20 $msi = Join-Path $folder 'rollcall-agent-x64.msi'\n\
         \x20 Invoke-WebRequest -UseBasicParsing '{public_url}/agent/v1/installer' -Headers @{{ Authorization = \"Bearer $token\" }} \
         -OutFile $msi\n\
         \x20 if ((Get-FileHash $msi -Algorithm SHA256).Hash -ne '{sha256}') {{ throw 'The download is damaged.' }}\n\
         \x20 $p = Start-Process msiexec.exe -Wait -PassThru -ArgumentList '/i', \"`\"$msi`\"\", '/qn', '/norestart', \
         \"ENROLLTOKEN=$token\"\n\
         }} finally {{ Remove-Item -Recurse -Force $folder }}\n\
         if ($p.ExitCode -notin 0, 1641, 3010) {{ throw \"msiexec ended with $($p.ExitCode).\" }}\n"
    )
}

fn powershell(public_url: &str, token: &str, sha256: &str) -> String {
    // In braces: pasted line by line, a failed line would not stop the next.
    format!("& {{\n{}}}", download(public_url, token, sha256))
}

/// The agent is where 64-bit programs are, also for a 32-bit RMM tool; and what it writes to its standard error while it
/// still waits must not end the script, as Windows PowerShell would have it.
fn rmm(public_url: &str, token: &str, sha256: &str) -> String {
    let download = download(public_url, token, sha256);
    format!(
        "try {{\n{download}\
         $programs = if ($env:ProgramW6432) {{ $env:ProgramW6432 }} else {{ $env:ProgramFiles }}\n\
         $ErrorActionPreference = 'Continue'\n\
         foreach ($try in 1..30) {{\n\
         \x20 & \"$programs\\Rollcall Agent\\rollcall-agent.exe\" status 2>&1 | Out-Null\n\
         \x20 if ($LASTEXITCODE -eq 0) {{ if ($p.ExitCode -in 1641, 3010) {{ exit 3010 }}; exit 0 }}\n\
         \x20 Start-Sleep -Seconds 2\n\
         }}\n\
         throw 'Installed, but not enrolled yet.'\n\
         }} catch {{ Write-Output $_.Exception.Message; exit 1 }}"
    )
}

fn linux(token: &str) -> Way {
    Way {
        label: "Linux",
        command: format!("runuser -u rollcall-agent -- rollcall-agent enroll --token {token}"),
        hint: "As root, after installing the Debian package and writing agent.toml. The service notices by itself; where there is \
               none, rollcall-agent run works until it is stopped.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_lab::powershell;

    const SHA256: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";

    #[test]
    fn every_way_carries_the_token_once() {
        let ways = ways("https://rollcall.example", "eyJ0.a-b_c.d", Some(SHA256));

        assert_eq!(ways.len(), 5);
        for way in ways {
            assert_eq!(way.command.matches("eyJ0.a-b_c.d").count(), 1, "{}", way.label);
        }
    }

    #[test]
    fn what_is_downloaded_is_checked_before_it_is_installed() {
        for way in ways("https://rollcall.example", "eyJ0.a-b_c.d", Some(SHA256)) {
            let Some(downloaded) = way.command.find("https://rollcall.example/agent/v1/installer") else { continue };
            let checked = way.command.find(SHA256).unwrap();
            let installed = way.command.find("Start-Process msiexec").unwrap();
            assert!(downloaded < checked && checked < installed, "{}", way.label);
        }
    }

    #[test]
    fn every_powershell_line_is_one_that_every_windows_server_takes() {
        let mut read = 0;
        for way in ways("https://rollcall.example", "eyJ0.a-b_c.d", Some(SHA256)) {
            if way.command.contains("Invoke-WebRequest") {
                assert_eq!(powershell::mistakes(&way.command), Vec::<String>::new(), "{}\n{}", way.label, way.command);
                read += 1;
            }
        }
        assert_eq!(read, 2);
    }

    #[test]
    fn a_cloud_without_an_installer_offers_none() {
        let ways = ways("https://rollcall.example", "eyJ0.a-b_c.d", None);

        assert!(ways.iter().all(|way| !way.command.contains("msi")));
        assert_eq!(ways.len(), 1);
    }
}
