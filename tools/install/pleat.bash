# Completion of the pleat command for bash: verbs, flags (as --help has them) and files.
_pleat() {
  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    local verbs
    verbs=$(pleat --help 2>/dev/null | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$word")
  elif [[ $word == -* ]]; then
    local flags
    flags=$(pleat "$verb" --help 2>/dev/null | grep -o -E '^  (-.,)?--[a-z-]+' |
      grep -o -E -- '--[a-z-]+')
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _pleat pleat
