# bash completion for fleetccd; written by packaging/completions.py

# The words that may follow these words of a command.
_fleetccd_words() {
    case $1 in
        '') echo 'doctor --daemon --inetd --no-detach -p --port --listen -a --allow --allow-private -j --jobs --load-limit --memory-reserve --store-size --job-memory --job-disk --queue-timeout --io-timeout --ping-interval --max-waiting -N --nice --job-lifetime --drain-timeout --lifetime --user --state-dir -P --pid-file --log-file --log-stderr --log-level --verbose -W --wizard --enable-tcp-insecure --make-me-a-botnet --no-fork --no-fifo --http --stats --stats-port --zeroconf --version --help' ;;
        'doctor') echo '--daemon --inetd --no-detach -p --port --listen -a --allow --allow-private -j --jobs --load-limit --memory-reserve --store-size --job-memory --job-disk --queue-timeout --io-timeout --ping-interval --max-waiting -N --nice --job-lifetime --drain-timeout --lifetime --user --state-dir -P --pid-file --log-file --log-stderr --log-level --verbose -W --wizard --enable-tcp-insecure --make-me-a-botnet --no-fork --no-fifo --http --stats --stats-port --zeroconf --version --help --json' ;;
    esac
}

# What the value of an option may be: words, `:path`, or `:none` that can be told. Nothing: it takes no value.
_fleetccd_values() {
    case $1 in
        ' -p'|' --port') echo ':none' ;;
        ' --listen') echo ':none' ;;
        ' -a'|' --allow') echo ':none' ;;
        ' -j'|' --jobs') echo ':none' ;;
        ' --load-limit') echo ':none' ;;
        ' --memory-reserve') echo ':none' ;;
        ' --store-size') echo ':none' ;;
        ' --job-memory') echo ':none' ;;
        ' --job-disk') echo ':none' ;;
        ' --queue-timeout') echo ':none' ;;
        ' --io-timeout') echo ':none' ;;
        ' --ping-interval') echo ':none' ;;
        ' --max-waiting') echo ':none' ;;
        ' -N'|' --nice') echo ':none' ;;
        ' --job-lifetime') echo ':none' ;;
        ' --drain-timeout') echo ':none' ;;
        ' --lifetime') echo ':none' ;;
        ' --user') echo ':none' ;;
        ' --state-dir') echo ':path' ;;
        ' -P'|' --pid-file') echo ':path' ;;
        ' --log-file') echo ':path' ;;
        ' --log-level') echo ':none' ;;
        ' --http') echo ':none' ;;
        ' --stats-port') echo ':none' ;;
        'doctor -p'|'doctor --port') echo ':none' ;;
        'doctor --listen') echo ':none' ;;
        'doctor -a'|'doctor --allow') echo ':none' ;;
        'doctor -j'|'doctor --jobs') echo ':none' ;;
        'doctor --load-limit') echo ':none' ;;
        'doctor --memory-reserve') echo ':none' ;;
        'doctor --store-size') echo ':none' ;;
        'doctor --job-memory') echo ':none' ;;
        'doctor --job-disk') echo ':none' ;;
        'doctor --queue-timeout') echo ':none' ;;
        'doctor --io-timeout') echo ':none' ;;
        'doctor --ping-interval') echo ':none' ;;
        'doctor --max-waiting') echo ':none' ;;
        'doctor -N'|'doctor --nice') echo ':none' ;;
        'doctor --job-lifetime') echo ':none' ;;
        'doctor --drain-timeout') echo ':none' ;;
        'doctor --lifetime') echo ':none' ;;
        'doctor --user') echo ':none' ;;
        'doctor --state-dir') echo ':path' ;;
        'doctor -P'|'doctor --pid-file') echo ':path' ;;
        'doctor --log-file') echo ':path' ;;
        'doctor --log-level') echo ':none' ;;
        'doctor --http') echo ':none' ;;
        'doctor --stats-port') echo ':none' ;;
    esac
}

_fleetccd_offer() {
    local IFS=$' \t\n'
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_fleetccd_paths() {
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
}

# bash takes `--option=value` for three words.
_fleetccd_look() {
    current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
}

# Options of these words of a command, or the value of the one before.
_fleetccd_options() {
    local kind
    kind=$(_fleetccd_values "$1 $previous")
    case $kind in
        :path) _fleetccd_paths ;;
        :none) ;;
        '') _fleetccd_offer "$(_fleetccd_words "$1")" ;;
        *) _fleetccd_offer "$kind" ;;
    esac
}

_fleetccd() {
    local current previous words=
    _fleetccd_look
    [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == doctor ]] && words=doctor
    _fleetccd_options "$words"
}

complete -F _fleetccd fleetccd
