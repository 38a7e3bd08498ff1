# Downloads the agent's MSI from the cloud with a one-time token, checks its hash, and installs it without questions.
#   powershell -ExecutionPolicy Bypass -File install.ps1 -Cloud https://rollcall.msp.example -Token TOKEN -Sha256 HASH
# The hash stands on the customer's Agent page; the token does too, once. Run it elevated. Windows PowerShell 5.1 or later.
# Ends with 0, or 3010 when Windows wants a restart; with 1 and the reason when it failed.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^https://')] [string] $Cloud,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[\w.-]+$')] [string] $Token,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-Fa-f]{64}$')] [string] $Sha256,
    [string] $Proxy,
    [string] $ServiceAccount,
    # The name on the certificate that must have signed the MSI; without it the hash alone decides.
    [string] $Publisher
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.ServicePointManager]::SecurityProtocol = 'Tls12'
$Cloud = $Cloud.TrimEnd('/')

$me = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) { throw 'Run this elevated.' }

# A folder that nobody else knows: in a shared one the file could be exchanged between check and installation.
$folder = Join-Path $env:TEMP ([guid]::NewGuid())
$null = New-Item -ItemType Directory -Path $folder
try {
    $msi = Join-Path $folder 'rollcall-agent-x64.msi'
    $request = @{ Uri = "$Cloud/agent/v1/installer"; OutFile = $msi; UseBasicParsing = $true }
    $request.Headers = @{ Authorization = "Bearer $Token" }
    if ($Proxy) { $request.Proxy = $Proxy }
    Invoke-WebRequest @request
    if ((Get-FileHash $msi -Algorithm SHA256).Hash -ne $Sha256) { throw 'The download is damaged; nothing was installed.' }
    if ($Publisher) {
        $signed = Get-AuthenticodeSignature $msi
        if ($signed.Status -ne 'Valid' -or $signed.SignerCertificate.GetNameInfo('SimpleName', $false) -ne $Publisher) {
            throw "The download is not signed by $Publisher ($($signed.Status)); nothing was installed."
        }
    }
    # Not on a command line, which Windows may log. The installation deletes the file once it has read it.
    $tokenFile = Join-Path $folder 'token'
    [IO.File]::WriteAllText($tokenFile, $Token)
    $arguments = @('/i', "`"$msi`"", '/qn', '/norestart', "ENROLLTOKENFILE=`"$tokenFile`"", "CLOUDURL=$Cloud")
    if ($Proxy) { $arguments += "PROXY=`"$Proxy`"" }
    if ($ServiceAccount) { $arguments += "SERVICEACCOUNT=`"$ServiceAccount`"" }
    $done = Start-Process msiexec.exe -Wait -PassThru -ArgumentList $arguments
} finally {
    Remove-Item -Recurse -Force $folder
}
if ($done.ExitCode -notin 0, 1641, 3010) { throw "msiexec ended with $($done.ExitCode)." }

# An RMM tool may be a 32-bit program, whose own Program Files is another folder.
$programs = if ($env:ProgramW6432) { $env:ProgramW6432 } else { $env:ProgramFiles }
$agent = Join-Path $programs 'Rollcall Agent\rollcall-agent.exe'
# Windows PowerShell ends a script at the first line that a program writes to a redirected standard error, unless told to go on.
$ErrorActionPreference = 'Continue'
foreach ($try in 1..30) {
    $said = (& $agent status 2>&1 | ForEach-Object { "$_" }) -join "`n"
    if ($LASTEXITCODE -eq 0) { Write-Output $said; exit $done.ExitCode }
    Start-Sleep -Seconds 2
}
Write-Output $said
throw 'Installed, but not enrolled yet: the service goes on trying for as long as the token lives.'
