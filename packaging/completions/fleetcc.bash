# bash completion for fleetcc; written by packaging/completions.py

# The words that may follow these words of a command.
_fleetcc_words() {
    case $1 in
        'agent') echo 'run start status stop --help' ;;
        'agent run') echo '--ready-fd --folder --help' ;;
        'agent start') echo '--help' ;;
        'agent status') echo '--help' ;;
        'agent stop') echo '--help' ;;
        'config') echo '--json --help' ;;
        'doctor') echo '--json --host --quick --help' ;;
        'events') echo '--json --help' ;;
        'explain') echo '--last --job --help' ;;
        'hosts') echo '--json --help' ;;
        'log') echo '-n -f --follow --reason --host --failed --json --help' ;;
        'report') echo '-o --build --open --help' ;;
        'run') echo '--masquerade --variables --jobserver --progress --no-progress --summary --no-summary --help' ;;
        'scan') echo '--json --help' ;;
        'simulate') echo '--hosts --jobs --mean --sigma --cap --durations -j --clients --hidden --join --leave --die --seeds --vary --latency-ms --upload-ms --policies --json --help' ;;
        'stats') echo '--build --today --all --json --help' ;;
        'status') echo '--json --help' ;;
        'top') echo '--once --help' ;;
        'trace') echo '-o --build --all --help' ;;
        'verify') echo '--verify --sample --help' ;;
        'web') echo '--port --no-browser --help' ;;
    esac
}

# What the value of an option may be: words, `:path`, or `:none` that can be told. Nothing: it takes no value.
_fleetcc_values() {
    case $1 in
        'agent run --ready-fd') echo ':none' ;;
        'agent run --folder') echo ':none' ;;
        'doctor --host') echo ':none' ;;
        'explain --job') echo ':none' ;;
        'log -n') echo ':none' ;;
        'log --reason') echo 'remote not-a-compile linking preprocess-only dependencies-only syntax-only no-input several-inputs stdin-input stdout-output assembler-input unknown-language header-input precompiled-header modules native-cpu plugin specs other-programs save-temps side-output coverage profile split-dwarf listing link-time several-architectures records-command no-line-markers source-needed debug-columns dependency-environment configure-probe response-file unknown-option local-files unknown-compiler compiler-name mode-local no-hosts bad-host-list localhost-entry no-same-compiler no-sandbox files-changing files-missed cannot-ship many-outputs verified no-grant all-hosts-failing hosts-failed refused preprocessor-spoke compiler-spoke warned-last-time remote-signal bad-settings other-file-system output-unwritable internal-error' ;;
        'log --host') echo ':none' ;;
        'report -o') echo ':path' ;;
        'report --build') echo ':none' ;;
        'run --jobserver') echo 'auto fifo pipe none' ;;
        'simulate --hosts') echo ':none' ;;
        'simulate --jobs') echo ':none' ;;
        'simulate --mean') echo ':none' ;;
        'simulate --sigma') echo ':none' ;;
        'simulate --cap') echo ':none' ;;
        'simulate --durations') echo ':path' ;;
        'simulate -j') echo ':none' ;;
        'simulate --clients') echo ':none' ;;
        'simulate --hidden') echo ':none' ;;
        'simulate --join') echo ':none' ;;
        'simulate --leave') echo ':none' ;;
        'simulate --die') echo ':none' ;;
        'simulate --seeds') echo ':none' ;;
        'simulate --vary') echo ':none' ;;
        'simulate --latency-ms') echo ':none' ;;
        'simulate --upload-ms') echo ':none' ;;
        'simulate --policies') echo ':none' ;;
        'stats --build') echo ':none' ;;
        'trace -o') echo ':path' ;;
        'trace --build') echo ':none' ;;
        'verify --verify'|'verify --sample') echo ':none' ;;
        'web --port') echo ':none' ;;
    esac
}

_fleetcc_offer() {
    local IFS=$' \t\n'
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_fleetcc_paths() {
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
}

# bash takes `--option=value` for three words.
_fleetcc_look() {
    current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
}

# Options of these words of a command, or the value of the one before.
_fleetcc_options() {
    local kind
    kind=$(_fleetcc_values "$1 $previous")
    case $kind in
        :path) _fleetcc_paths ;;
        :none) ;;
        '') _fleetcc_offer "$(_fleetcc_words "$1")" ;;
        *) _fleetcc_offer "$kind" ;;
    esac
}

_fleetcc_compilers() {
    compgen -c | grep -xE '(([A-Za-z0-9_.]+-)+)?(gcc|g[+][+]|cc|c[+][+]|clang|clang[+][+])(-([0-9]+(\.[0-9]+)*))?' | sort -u
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
            _fleetcc_offer 'interactive normal ci'
        elif ((at > 1)); then
            _fleetcc_offer "--no-fallback $(_fleetcc_compilers)"
        else
            _fleetcc_offer "agent config doctor events explain hosts log report run scan simulate stats status top trace verify web --no-fallback --priority=interactive --priority=normal --priority=ci --show-hosts -j --version --help $(_fleetcc_compilers)"
        fi
        return
    fi
    case ${COMP_WORDS[at]} in
        explain|run|scan|verify) _fleetcc_runner "${COMP_WORDS[at]}" $((at + 1)) ;;
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
