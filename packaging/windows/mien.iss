; Inno Setup 6: iscc /DVersion=0.1.0 /DFrozen=..\..\build\packaging\dist\mien packaging\windows\mien.iss
; For one user without an administrator, or for all: the installer asks. Built and tried by .github/workflows/release.yml.

#ifndef Version
  #error give /DVersion=...
#endif
#ifndef Frozen
  #error give /DFrozen=FOLDER, what packaging/freeze/freeze.py has made
#endif

[Setup]
AppId={{7C6B7E0B-6A0B-4E0C-9C0E-5D1B0B7B2F61}
AppName=Mien
AppVersion={#Version}
AppVerName=Mien {#Version}
DefaultDirName={autopf}\Mien
DefaultGroupName=Mien
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0
LicenseFile={#Frozen}\licenses\README.txt
OutputBaseFilename=mien-{#Version}-windows-x64
Compression=lzma2/max
SolidCompression=yes
UninstallDisplayIcon={app}\mien-window.exe
ChangesEnvironment=yes
ChangesAssociations=yes
WizardStyle=modern
#ifdef SignTool
SignTool={#SignTool}
SignedUninstaller=yes
#endif

[Tasks]
Name: desktopicon; Description: "A link on the desktop"; Flags: unchecked
Name: path; Description: "mien in the command line (PATH)"

[Files]
Source: "{#Frozen}\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{group}\Mien"; Filename: "{app}\mien-window.exe"
Name: "{group}\Manual"; Filename: "{app}\manual\index.html"
Name: "{autodesktop}\Mien"; Filename: "{app}\mien-window.exe"; Tasks: desktopicon

[Registry]
; "Open with" for videos; Mien takes no file type away from other programs.
Root: HKA; Subkey: "Software\Classes\Applications\mien-window.exe\shell\open\command"; ValueType: string; ValueData: """{app}\mien-window.exe"" --source ""%1"""; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Applications\mien-window.exe\SupportedTypes"; ValueType: string; ValueName: ".mp4"; ValueData: ""; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Applications\mien-window.exe\SupportedTypes"; ValueType: string; ValueName: ".mov"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\mien-window.exe\SupportedTypes"; ValueType: string; ValueName: ".mkv"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\mien-window.exe\SupportedTypes"; ValueType: string; ValueName: ".webm"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\mien-window.exe\SupportedTypes"; ValueType: string; ValueName: ".avi"; ValueData: ""

[Run]
Filename: "{app}\mien-window.exe"; Description: "Start Mien"; Flags: nowait postinstall skipifsilent

[Code]
const
  EnvironmentKey = 'Environment';

function PathWithout(Value, Folder: String): String;
var
  Padded: String;
begin
  Padded := ';' + Value + ';';
  StringChangeEx(Padded, ';' + Folder + ';', ';', True);
  Result := Copy(Padded, 2, Length(Padded) - 2);
end;

procedure ChangePath(Add: Boolean);
var
  Value: String;
begin
  { The user's own PATH, also where Mien is installed for all: that of the machine is not ours to change. }
  if not RegQueryStringValue(HKCU, EnvironmentKey, 'Path', Value) then
    Value := '';
  Value := PathWithout(Value, ExpandConstant('{app}'));
  if Add then begin
    if (Value <> '') and (Value[Length(Value)] <> ';') then
      Value := Value + ';';
    Value := Value + ExpandConstant('{app}');
  end;
  RegWriteExpandStringValue(HKCU, EnvironmentKey, 'Path', Value);
end;

procedure CurStepChanged(CurStep: TSetupStep);
begin
  if (CurStep = ssPostInstall) and WizardIsTaskSelected('path') then
    ChangePath(True);
end;

procedure CurUninstallStepChanged(CurUninstallStep: TUninstallStep);
begin
  if CurUninstallStep = usPostUninstall then
    ChangePath(False);
end;
