// What the shells source. All of the knowledge is in the hidden `keel complete`, which prints one candidate a
// line for the words typed so far, with a description behind a tab.

/** A script for each shell. */
export const completionScripts: Readonly<Record<string, string>> = {
  bash: `_keel() {
  local line="\${COMP_LINE:0:COMP_POINT}" words current candidates
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current="\${words[-1]}"
  local IFS=$'\\n'
  candidates=$("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null | cut -f 1) || return
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  # bash takes a word apart at @ and :, and only what stands behind the last of them is replaced.
  local break
  for break in @ : =; do
    [[ $COMP_WORDBREAKS == *"$break"* && $current == *"$break"* ]] || continue
    COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*"$break"}"}"}")
  done
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
}
complete -F _keel keel
complete -F _keel ./keel
`,
  zsh: `#compdef keel
_keel() {
  local -a lines described
  lines=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  local line
  for line in $lines; do
    [[ -n $line ]] && described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#described} )); then _describe 'keel' described; else _files; fi
}
compdef _keel keel
`,
  fish: `function __keel_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  $words[1] complete -- $words[2..] "$current" 2>/dev/null
end
complete -c keel -f -a '(__keel_complete)'
complete -c keel -n 'contains -- (commandline -opc)[2] submit load start image' -F
`,
};
