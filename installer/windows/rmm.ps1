# For RMM tools: settings come as environment variables, the result as exit code.
#   ROLLCALL_CLOUD, ROLLCALL_TOKEN, ROLLCALL_SHA256, and if need be ROLLCALL_PROXY, ROLLCALL_SERVICEACCOUNT, ROLLCALL_PUBLISHER
# 0: installed and enrolled. 1: failed, the reason is the last line. 3010: done, Windows wants a restart.
try {
    if (-not $env:ROLLCALL_CLOUD -or -not $env:ROLLCALL_TOKEN -or -not $env:ROLLCALL_SHA256) {
        throw 'ROLLCALL_CLOUD, ROLLCALL_TOKEN and ROLLCALL_SHA256 must be set.'
    }
    $settings = @{ Cloud = $env:ROLLCALL_CLOUD; Token = $env:ROLLCALL_TOKEN; Sha256 = $env:ROLLCALL_SHA256 }
    if ($env:ROLLCALL_PROXY) { $settings.Proxy = $env:ROLLCALL_PROXY }
    if ($env:ROLLCALL_SERVICEACCOUNT) { $settings.ServiceAccount = $env:ROLLCALL_SERVICEACCOUNT }
    if ($env:ROLLCALL_PUBLISHER) { $settings.Publisher = $env:ROLLCALL_PUBLISHER }
    & (Join-Path $PSScriptRoot 'install.ps1') @settings
    if ($LASTEXITCODE -in 1641, 3010) { exit 3010 }
    exit 0
} catch {
    Write-Output $_.Exception.Message
    exit 1
}
