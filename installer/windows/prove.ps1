# Proves on a real Windows what Wine cannot: docs/operate/needs-a-windows-machine.md names each. Run it elevated on a
# machine where the agent is installed and enrolled. It changes nothing but stops and starts the service, once killing it.
$ErrorActionPreference = 'Stop'
$failed = 0
$name = 'RollcallAgent'
$folder = Join-Path $env:ProgramData 'Rollcall'
$programs = if ($env:ProgramW6432) { $env:ProgramW6432 } else { $env:ProgramFiles }
$exe = Join-Path $programs 'Rollcall Agent\rollcall-agent.exe'
$system = 'S-1-5-18'
$administrators = 'S-1-5-32-544'
$service = 'S-1-5-80-1634965499-3083482521-2318770455-3675206821-2644386314'

function Test-That([string] $what, [scriptblock] $test) {
    try { $found = & $test } catch { $found = $_.Exception.Message }
    if ($found -is [bool] -and $found) { Write-Output "[OK]   $what" } else { $script:failed++; Write-Output "[FAIL] $what : $found" }
}
# What the agent prints on either stream. Redirecting its errors would end the script where errors end it.
function Invoke-Agent {
    $ErrorActionPreference = 'Continue'
    (& $exe @args 2>&1 | ForEach-Object { "$_" }) -join "`n"
}
function Get-Sids([string] $path) {
    (Get-Acl $path).Access | ForEach-Object { $_.IdentityReference.Translate([Security.Principal.SecurityIdentifier]).Value } | Sort-Object -Unique
}

$account = (Get-CimInstance Win32_Service -Filter "Name='$name'").StartName
$allowed = @($system, $administrators, $service)
# An account that was chosen for the service, such as a gMSA, is named beside it.
if ($account -and ($account -notmatch '^(NT SERVICE|NT AUTHORITY)\\|^LocalSystem$')) {
    $allowed += (New-Object Security.Principal.NTAccount($account -replace '^\.\\', "$env:COMPUTERNAME\")).Translate([Security.Principal.SecurityIdentifier]).Value
}

Test-That 'W-1 the service SID is the one that the access list names' { [bool] ((sc.exe showsid $name) -match $service) }
Test-That 'W-2 the service runs under its own account, delayed automatic' {
    [bool] ((sc.exe qc $name) -match 'DELAYED') -and ($account -match 'NT SERVICE|\$$')
}
Test-That 'W-3 it restarts after 1, 5 and 15 minutes, also after an error it reported' {
    $actions = (sc.exe qfailure $name) -join "`n"
    ($actions -match '60000') -and ($actions -match '300000') -and ($actions -match '900000') -and [bool] ((sc.exe qfailureflag $name) -match 'TRUE')
}
Test-That 'W-4 its token holds one privilege and its SID' {
    $privileges = (sc.exe qprivs $name) -join ' '
    ($privileges -match 'SeChangeNotifyPrivilege') -and ($privileges -notmatch 'SeImpersonate|SeDebug|SeBackup') -and [bool] ((sc.exe qsidtype $name) -match 'UNRESTRICTED')
}
Test-That 'W-5 SYSTEM, Administrators, the service and its account may open the data folder, and nobody else' {
    (Get-Acl $folder).AreAccessRulesProtected -and (-not (Compare-Object (Get-Sids $folder) $allowed))
}
Test-That 'W-6 files inside inherit that' {
    -not (Compare-Object (Get-Sids (Join-Path $folder 'identity.json')) $allowed)
}
Test-That 'W-7 the key is sealed, and opens for the service and for an administrator' {
    $null = Invoke-Agent status
    ($LASTEXITCODE -eq 0) -and ((Get-Content (Join-Path $folder 'identity.json') -Raw) -match 'dpapi:')
}
Test-That 'W-8 it stops within five seconds and starts again' {
    Start-Service $name; $time = Measure-Command { Stop-Service $name }; Start-Service $name
    if ($time.TotalSeconds -lt 5) { $true } else { "took $($time.TotalSeconds) s" }
}
Test-That 'W-9 the event log shows our text, without "The description for Event ID cannot be found"' {
    $shown = (Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Rollcall Agent'; Id = 100 } -MaxEvents 1).Message
    ($shown -match '^started') -and ($shown -notmatch 'cannot be found')
}
Test-That 'W-10 nothing listens' {
    $processes = (Get-CimInstance Win32_Process -Filter "Name='rollcall-agent.exe'").ProcessId
    $open = Get-NetTCPConnection -State Listen -ErrorAction SilentlyContinue | Where-Object { $_.OwningProcess -in $processes }
    if ($open) { "port $($open.LocalPort)" } else { $true }
}
Test-That 'W-11 after a crash the service manager starts it again' {
    Stop-Process -Force -Id (Get-CimInstance Win32_Service -Filter "Name='$name'").ProcessId
    Start-Sleep -Seconds 75; (Get-Service $name).Status -eq 'Running'
}
Test-That 'W-12 program and installer are signed and trusted' { (Get-AuthenticodeSignature $exe).Status -eq 'Valid' }
Test-That 'W-13 a second copy refuses to work in the folder' { (Invoke-Agent sync) -match 'RC-1011' }
Test-That 'W-19 the path of the program is quoted, so that no C:\Program.exe is started in its place' {
    (Get-CimInstance Win32_Service -Filter "Name='$name'").PathName.StartsWith('"')
}
$checks = & $exe check --json | ForEach-Object { $_ | ConvertFrom-Json }
$settings = Get-Content (Join-Path $folder 'agent.toml') -Raw
function Find-Check([string] $check) { @($checks | Where-Object { $_.check -eq $check })[-1] }
if ($settings -notmatch '(?m)^\s*password_file') {
    # What the service itself did last: a check here would sign in as whoever runs this script.
    Test-That 'W-21 the account of the service signs in by Kerberos' {
        $used = (& $exe status --json | ConvertFrom-Json).reached.used; if ($used -match '^Kerberos') { $true } else { "reached by: $used" }
    }
}
if ($settings -match '(?m)^\s*domain\s*=') {
    Test-That 'W-22 the locator names a controller of this site' {
        $found = Find-Check 'locator'; if ($found.result -eq 'ok') { $true } else { $found.detail }
    }
}
if ($settings -match '(?m)^\s*proxy\s*=\s*.system.') {
    $winhttp = (netsh winhttp show proxy) -join ' '
    Test-That 'W-23 the proxy of WinHTTP is the one that is used' {
        $found = (Find-Check 'cloud proxy').detail
        if ($winhttp -notmatch '([\w.-]+:\d+)') { "WinHTTP has none; the agent uses: $found" } elseif ($found -match [regex]::Escape($Matches[1])) { $true } else { $found }
    }
}
Test-That 'W-24 Windows reads the version and the maker' {
    $about = (Get-Item $exe).VersionInfo
    ($about.ProductName -eq 'Rollcall Agent') -and ($about.CompanyName -eq 'Rollcall') -and ("$($about.FileVersion)".Length -gt 0)
}
Write-Output 'By hand: W-14 to W-18, W-20, W-25 to W-27 of docs/operate/needs-a-windows-machine.md.'
exit [int] ($failed -gt 0)
