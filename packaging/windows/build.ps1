# Makes mien-VERSION-windows-x64.exe: packaging\windows\build.ps1 OUT [-Manual FOLDER]. Needs Python 3.12 or newer on x64
# and Inno Setup 6 (winget install JRSoftware.InnoSetup). Signed where MIEN_SIGN holds a command for Inno Setup's SignTool.
param([Parameter(Mandatory)] [string] $Out, [string] $Manual = "")
$ErrorActionPreference = "Stop"
$PSNativeCommandUseErrorActionPreference = $true
$root = Resolve-Path "$PSScriptRoot\..\.."
$work = "$root\build\packaging"
$options = if ($Manual) { @("--manual", (Resolve-Path $Manual)) } else { @() }
python "$root\packaging\freeze\freeze.py" $work @options
$version = (Select-String -Path "$root\pyproject.toml" -Pattern '^version = "(.+)"$').Matches[0].Groups[1].Value
New-Item -ItemType Directory -Force $Out | Out-Null
$arguments = @("/DVersion=$version", "/DFrozen=$work\dist\mien", "/O$(Resolve-Path $Out)")
if ($env:MIEN_SIGN) { $arguments += @("/DSignTool=mien", "/Smien=$env:MIEN_SIGN") }
& "${env:ProgramFiles(x86)}\Inno Setup 6\ISCC.exe" @arguments "$PSScriptRoot\mien.iss"
Copy-Item "$work\sbom.cdx.json" "$Out\mien-$version-windows-x64.cdx.json"
Get-ChildItem $Out\mien-$version-windows-x64.* |
    ForEach-Object { "$((Get-FileHash $_ -Algorithm SHA256).Hash.ToLower())  $($_.Name)" } |
    Set-Content "$Out\SHA256SUMS-windows-x64"
