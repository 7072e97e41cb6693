"""What completions.py fills: the shells' programs around the tables. @NAME@ is replaced."""

from typing import Final

_BASH_COMMON: Final = r"""
# The words that may follow these words of a command.
_@PROGRAM@_words() {
    case $1 in
@WORDS@
    esac
}

# What the value of an option may be: words, `:path`, or `:none` that can be told. Nothing: it takes no value.
_@PROGRAM@_values() {
    case $1 in
@VALUES@
    esac
}

_@PROGRAM@_offer() {
    local IFS=$' \t\n'
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_@PROGRAM@_paths() {
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
}

# bash takes `--option=value` for three words.
_@PROGRAM@_look() {
    current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
}

# Options of these words of a command, or the value of the one before.
_@PROGRAM@_options() {
    local kind
    kind=$(_@PROGRAM@_values "$1 $previous")
    case $kind in
        :path) _@PROGRAM@_paths ;;
        :none) ;;
        '') _@PROGRAM@_offer "$(_@PROGRAM@_words "$1")" ;;
        *) _@PROGRAM@_offer "$kind" ;;
    esac
}
"""

BASH_SERVER: Final = (
    r"""
# bash completion for fleetccd; @HEAD@
"""
    + _BASH_COMMON.replace("@PROGRAM@", "fleetccd")
    + r"""
_fleetccd() {
    local current previous words=
    _fleetccd_look
    [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == doctor ]] && words=doctor
    _fleetccd_options "$words"
}

complete -F _fleetccd fleetccd
"""
)

BASH: Final = (
    r"""
# bash completion for fleetcc; @HEAD@
"""
    + _BASH_COMMON.replace("@PROGRAM@", "fleetcc")
    + r"""
_fleetcc_compilers() {
    compgen -c | grep -xE '@COMPILERS@' | sort -u
}

# A command line inside of ours, which begins at this word.
_fleetcc_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$current" | sort -u)
    else
        _fleetcc_paths
    fi
}

# Verbs that take a command line: where it begins is where something stands that is no option of ours.
_fleetcc_runner() {
    local verb=$1 at=$2 kind
    while ((at < COMP_CWORD)); do
        case ${COMP_WORDS[at]} in
            --) _fleetcc_command $((at + 1)); return ;;
            -*)
                kind=$(_fleetcc_values "$verb ${COMP_WORDS[at]}")
                if [[ -n $kind ]]; then
                    [[ ${COMP_WORDS[at + 1]} == = ]] && ((at += 1))
                    ((at += 1))
                fi
                ;;
            *) _fleetcc_command "$at"; return ;;
        esac
        ((at += 1))
    done
    if ((at > COMP_CWORD)) || [[ $current == -* ]]; then
        _fleetcc_options "$verb"
    else
        _fleetcc_command "$at"
    fi
}

_fleetcc() {
    local current previous at=1 words
    _fleetcc_look
    while ((at < COMP_CWORD)); do
        case ${COMP_WORDS[at]} in
            --no-fallback | --priority=*) ((at += 1)) ;;
            --priority) ((at += 2)); [[ ${COMP_WORDS[at - 1]} != = ]] || ((at += 1)) ;;
            *) break ;;
        esac
    done
    if ((at >= COMP_CWORD)); then
        if [[ $previous == --priority ]]; then
            _fleetcc_offer '@PRIORITIES@'
        elif ((at > 1)); then
            _fleetcc_offer "--no-fallback $(_fleetcc_compilers)"
        else
            _fleetcc_offer "@VERBS@ @OWN@ $(_fleetcc_compilers)"
        fi
        return
    fi
    case ${COMP_WORDS[at]} in
        @RUNNERS@) _fleetcc_runner "${COMP_WORDS[at]}" $((at + 1)) ;;
        *)
            words=${COMP_WORDS[at]}
            if [[ -z $(_fleetcc_words "$words") ]]; then
                _fleetcc_command "$at"
                return
            fi
            ((at + 1 < COMP_CWORD)) && [[ -n $(_fleetcc_words "$words ${COMP_WORDS[at + 1]}") ]] &&
                words+=" ${COMP_WORDS[at + 1]}"
            _fleetcc_options "$words"
            ;;
    esac
}

complete -F _fleetcc fleetcc
"""
)

ZSH: Final = r"""
#compdef fleetcc
# zsh completion for fleetcc; @HEAD@

_fleetcc_first() {
    local -a verbs compilers
    verbs=(
@VERBS@
    )
    compilers=(${(f)"$(print -l ${(k)commands} | grep -xE '@COMPILERS@')"})
    _describe -t verbs verb verbs
    _describe -t compilers compiler compilers
}

_fleetcc() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C -S -A '-*' \
@OWN@ \
        '1: : _fleetcc_first' \
        '*:: :->rest' && return
    [[ $state == rest ]] || return
    case $words[1] in
@CASES@
        *) _normal ;;
    esac
}

_fleetcc "$@"
"""

ZSH_SERVER: Final = r"""
#compdef fleetccd
# zsh completion for fleetccd; @HEAD@

_arguments \
@OPTIONS@ \
        '1: :((doctor\:"would it work here"))'
"""

FISH: Final = r"""
# fish completion for fleetcc; @HEAD@

# Our words before the cursor: without fleetcc itself and what it takes before a compiler.
function __fleetcc_words
    set -l words (commandline -opc)[2..-1]
    while set -q words[1]
        switch $words[1]
            case --no-fallback '--priority=*'
                set -e words[1]
            case --priority
                set -e words[1]
                set -e words[1]
            case '*'
                break
        end
    end
    set -q words[1]; and printf '%s\n' $words
end

function __fleetcc_at_start
    test (count (__fleetcc_words)) -eq 0
end

function __fleetcc_compilers
    for folder in $PATH
        for file in $folder/*cc* $folder/*++* $folder/*clang*
            string match -rq '^(@COMPILERS@)$' -- (basename $file); and basename $file
        end
    end | sort -u
end

# The command line inside of ours that the cursor is in, from its first word; nothing: it has not begun.
function __fleetcc_command
    set -l words (__fleetcc_words)
    set -q words[1]; or return 1
    if not contains -- $words[1] @VERBS@
        set -q words[1]; and printf '%s\n' $words
        return 0
    end
    contains -- $words[1] @RUNNERS@; or return 1
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                set -q words[1]; and printf '%s\n' $words
                return 0
            case '-*'
                contains -- $words[1] @VALUES@; and set -e words[1]
                set -e words[1]
            case '*'
                set -q words[1]; and printf '%s\n' $words
                return 0
        end
    end
    not string match -q -- '-*' (commandline -ct)
end

function __fleetcc_in_command
    __fleetcc_command >/dev/null
end

function __fleetcc_complete_command
    set -l words (__fleetcc_command)
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

function __fleetcc_in
    set -l words (__fleetcc_words)
    test "$words[1]" = $argv[1]; and begin
        not contains -- $argv[1] @RUNNERS@; or not test (count (__fleetcc_command)) -gt 0
    end
end

complete -c fleetcc -f
complete -c fleetcc -n __fleetcc_at_start -a '(__fleetcc_compilers)' -d 'compiler'
complete -c fleetcc -n __fleetcc_in_command -a '(__fleetcc_complete_command)'
@OWN@
@LINES@
"""

FISH_SERVER: Final = r"""
# fish completion for fleetccd; @HEAD@

complete -c fleetccd -f
complete -c fleetccd -n 'test (count (commandline -opc)) -eq 1' -a doctor -d 'would it work here'
@OPTIONS@
"""
