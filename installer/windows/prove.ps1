# Proves on a real Windows what Wine cannot: docs/operate/needs-a-windows-machine.md names each. Run it elevated on a
# machine where the agent is installed and enrolled. It changes nothing but stops and starts the service, once killing it.
$ErrorActionPreference = 'Stop'
$failed = 0
function Test-That([string] $what, [scriptblock] $test) {
    try { $found = & $test } catch { $found = $_.Exception.Message }
    if ($found -eq $true) { Write-Output "[OK]   $what" } else { $script:failed++; Write-Output "[FAIL] $what : $found" }
}
$name = 'RollcallAgent'
$home_ = Join-Path $env:ProgramData 'Rollcall'
$exe = Join-Path $env:ProgramFiles 'Rollcall Agent\rollcall-agent.exe'
$sid = 'S-1-5-80-1634965499-3083482521-2318770455-3675206821-2644386314'

Test-That 'W-1 the service SID is the one that the access list names' { [bool] ((sc.exe showsid $name) -match $sid) }
Test-That 'W-2 the service runs under its own account, delayed automatic' {
    $c = sc.exe qc $name
    [bool] ($c -match 'DELAYED') -and ((Get-CimInstance Win32_Service -Filter "Name='$name'").StartName -match "NT SERVICE|\$$")
}
Test-That 'W-3 it restarts after 1, 5 and 15 minutes, also after an error it reported' {
    $f = (sc.exe qfailure $name) -join "`n"; $g = (sc.exe qfailureflag $name) -join "`n"
    ($f -match '60000') -and ($f -match '300000') -and ($f -match '900000') -and ($g -match 'TRUE')
}
Test-That 'W-4 its token holds one privilege and its SID' {
    $p = (sc.exe qprivs $name) -join ' '
    ($p -match 'SeChangeNotifyPrivilege') -and ($p -notmatch 'SeImpersonate|SeDebug|SeBackup') -and ((sc.exe qsidtype $name) -match 'UNRESTRICTED').Count -gt 0
}
Test-That 'W-5 SYSTEM, Administrators and the service may open the data folder, and nobody else' {
    $acl = Get-Acl $home_
    $who = $acl.Access | ForEach-Object { $_.IdentityReference.Translate([Security.Principal.SecurityIdentifier]).Value } | Sort-Object -Unique
    $acl.AreAccessRulesProtected -and (-not (Compare-Object $who @('S-1-5-18', 'S-1-5-32-544', $sid)))
}
Test-That 'W-6 files inside inherit that' {
    $acl = Get-Acl (Join-Path $home_ 'identity.json')
    -not ($acl.Access | Where-Object { $_.IdentityReference -match 'Users|Everyone|Jeder|Benutzer' })
}
Test-That 'W-7 the key is sealed, and opens for the service and for an administrator' {
    (Get-Content (Join-Path $home_ 'identity.json') -Raw) -match 'dpapi:' -and $(& $exe status *> $null; $LASTEXITCODE -eq 0)
}
Test-That 'W-8 it stops within five seconds and starts again' {
    Start-Service $name; $t = Measure-Command { Stop-Service $name }; Start-Service $name
    if ($t.TotalSeconds -lt 5) { $true } else { "took $($t.TotalSeconds) s" }
}
Test-That 'W-9 the event log shows our text, without "The description for Event ID cannot be found"' {
    $e = Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Rollcall Agent'; Id = 100 } -MaxEvents 1
    ($e.Message -match '^started') -and ($e.Message -notmatch 'cannot be found')
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
Test-That 'W-13 a second copy refuses to work in the folder' {
    $said = (& $exe sync 2>&1) -join ' '; $said -match 'RC-1011'
}
Test-That 'W-19 the path of the program is quoted, so that no C:\Program.exe is started in its place' {
    (Get-CimInstance Win32_Service -Filter "Name='$name'").PathName.StartsWith('"')
}
$checks = & $exe check --json | ForEach-Object { $_ | ConvertFrom-Json }
$settings = Get-Content (Join-Path $home_ 'agent.toml') -Raw
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
Write-Output "By hand: W-14 SmartScreen accepts the download; W-15 the service runs under a gMSA; W-16 it reads after a restart of the machine."
exit [int]($failed -gt 0)
