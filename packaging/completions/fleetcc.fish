# fish completion for fleetcc; written by packaging/completions.py

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
            string match -rq '^((([A-Za-z0-9_.]+-)+)?(gcc|g[+][+]|cc|c[+][+]|clang|clang[+][+])(-([0-9]+(\.[0-9]+)*))?)$' -- (basename $file); and basename $file
        end
    end | sort -u
end

# The command line inside of ours that the cursor is in, from its first word; nothing: it has not begun.
function __fleetcc_command
    set -l words (__fleetcc_words)
    set -q words[1]; or return 1
    if not contains -- $words[1] agent config doctor events explain hosts log report run scan simulate stats status top trace verify web
        set -q words[1]; and printf '%s\n' $words
        return 0
    end
    contains -- $words[1] explain run scan verify; or return 1
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                set -q words[1]; and printf '%s\n' $words
                return 0
            case '-*'
                contains -- $words[1] --job --jobserver --sample --verify; and set -e words[1]
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
        not contains -- $argv[1] explain run scan verify; or not test (count (__fleetcc_command)) -gt 0
    end
end

complete -c fleetcc -f
complete -c fleetcc -n __fleetcc_at_start -a '(__fleetcc_compilers)' -d 'compiler'
complete -c fleetcc -n __fleetcc_in_command -a '(__fleetcc_complete_command)'
complete -c fleetcc -n __fleetcc_at_start -l no-fallback -d 'Before COMPILER: fail when no host can do the job; do not compile here.'
complete -c fleetcc -n __fleetcc_at_start -l priority -x -a 'interactive normal ci' -d 'Before COMPILER: how urgent the job is; hosts serve interactive, normal and ci as 4 to 2 to 1.'
complete -c fleetcc -n __fleetcc_at_start -l show-hosts -d 'Print the hosts of the list, one to a line.'
complete -c fleetcc -n __fleetcc_at_start -s j -d 'Print how many jobs the hosts of the list take together (for make -j).'
complete -c fleetcc -n __fleetcc_at_start -l version -d 'Show the version and exit.'
complete -c fleetcc -n __fleetcc_at_start -l help -d 'Show the verbs and these options, and exit.'
complete -c fleetcc -n __fleetcc_at_start -a agent -d 'start, stop or look at the agent of this user'
complete -c fleetcc -n '__fleetcc_in agent' -a run -d 'serve in the foreground (what the launcher and systemd run)'
complete -c fleetcc -n '__fleetcc_in agent' -a start -d 'start the agent unless it runs'
complete -c fleetcc -n '__fleetcc_in agent' -a status -d 'one line; exit status 0 when an agent runs, 1 when none does'
complete -c fleetcc -n '__fleetcc_in agent' -a stop -d 'let the agent finish its jobs and leave; the next compile starts a new one'
complete -c fleetcc -n '__fleetcc_in agent' -l ready-fd -x -d 'Write one byte to this descriptor once listening.'
complete -c fleetcc -n '__fleetcc_in agent' -l folder -x -d 'The agent\'s folder; default: as FLEETCC_DIR says.'
complete -c fleetcc -n '__fleetcc_in agent' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a config -d 'each setting, its value and where that came from'
complete -c fleetcc -n '__fleetcc_in config' -l json -d 'Print a JSON array of objects.'
complete -c fleetcc -n '__fleetcc_in config' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a doctor -d 'is everything in order: compilers, agent, hosts, limits'
complete -c fleetcc -n '__fleetcc_in doctor' -l json -d 'Print a JSON array of objects.'
complete -c fleetcc -n '__fleetcc_in doctor' -l host -x -d 'Look at this host only, in the list or not.'
complete -c fleetcc -n '__fleetcc_in doctor' -l quick -d 'Run no compiler, start no agent, ask no network.'
complete -c fleetcc -n '__fleetcc_in doctor' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a events -d 'what happens, as it happens (--json: for programs)'
complete -c fleetcc -n '__fleetcc_in events' -l json -d 'Print the stream as it comes: one JSON object a line.'
complete -c fleetcc -n '__fleetcc_in events' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a explain -d 'would this command run here or on a host, how, and why'
complete -c fleetcc -n '__fleetcc_in explain' -l last -d 'Instead: the story of the last job, or of the last N. [x>=1]'
complete -c fleetcc -n '__fleetcc_in explain' -l job -x -d 'Instead: the story of the job of that number. [x>=1]'
complete -c fleetcc -n '__fleetcc_in explain' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a hosts -d 'each host of the list: reachable, does it take files, its slots'
complete -c fleetcc -n '__fleetcc_in hosts' -l json -d 'Print a JSON array of objects.'
complete -c fleetcc -n '__fleetcc_in hosts' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a log -d 'the jobs that have ended, newest last'
complete -c fleetcc -n '__fleetcc_in log' -s n -x -d 'So many jobs; 0: all. [default: 20; x>=0]'
complete -c fleetcc -n '__fleetcc_in log' -s f -d 'Go on with jobs as they end.'
complete -c fleetcc -n '__fleetcc_in log' -l follow -d 'Go on with jobs as they end.'
complete -c fleetcc -n '__fleetcc_in log' -l reason -x -a 'remote not-a-compile linking preprocess-only dependencies-only syntax-only no-input several-inputs stdin-input stdout-output assembler-input unknown-language header-input precompiled-header modules native-cpu plugin specs other-programs save-temps side-output coverage profile split-dwarf listing link-time several-architectures records-command no-line-markers source-needed debug-columns dependency-environment configure-probe response-file unknown-option local-files unknown-compiler compiler-name mode-local no-hosts bad-host-list localhost-entry no-same-compiler no-sandbox files-changing files-missed cannot-ship many-outputs verified no-grant all-hosts-failing hosts-failed refused preprocessor-spoke compiler-spoke warned-last-time remote-signal bad-settings other-file-system output-unwritable internal-error' -d 'Only these, as `linking` or `remote`.'
complete -c fleetcc -n '__fleetcc_in log' -l host -x -d 'Only what this host had; its port may be left out.'
complete -c fleetcc -n '__fleetcc_in log' -l failed -d 'Only what failed.'
complete -c fleetcc -n '__fleetcc_in log' -l json -d 'Print the journal\'s own lines.'
complete -c fleetcc -n '__fleetcc_in log' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a report -d 'one HTML page about a build: what held it up, what would help'
complete -c fleetcc -n '__fleetcc_in report' -s o -r -F -d 'Where it goes. [default: report.html]'
complete -c fleetcc -n '__fleetcc_in report' -l build -x -d 'Which build, by the beginning of its name; else the last one.'
complete -c fleetcc -n '__fleetcc_in report' -l open -d 'Show it in a browser.'
complete -c fleetcc -n '__fleetcc_in report' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a run -d 'run a build with everything set up: fleetcc run -- make'
complete -c fleetcc -n '__fleetcc_in run' -l masquerade -d 'How COMMAND comes to call fleetcc; see above.'
complete -c fleetcc -n '__fleetcc_in run' -l variables -d 'How COMMAND comes to call fleetcc; see above.'
complete -c fleetcc -n '__fleetcc_in run' -l jobserver -x -a 'auto fifo pipe none' -d 'The form of the jobserver; auto: what COMMAND reads.'
complete -c fleetcc -n '__fleetcc_in run' -l progress -d 'One line of progress below the build\'s output. Default: on a terminal.'
complete -c fleetcc -n '__fleetcc_in run' -l no-progress -d 'One line of progress below the build\'s output. Default: on a terminal.'
complete -c fleetcc -n '__fleetcc_in run' -l summary -d 'Say at the end where the jobs ran. Default: on a terminal.'
complete -c fleetcc -n '__fleetcc_in run' -l no-summary -d 'Say at the end where the jobs ran. Default: on a terminal.'
complete -c fleetcc -n '__fleetcc_in run' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a scan -d 'each file that this compile can read, found as a job\'s files are found'
complete -c fleetcc -n '__fleetcc_in scan' -l json -d 'Each file with its reason, and counts and times.'
complete -c fleetcc -n '__fleetcc_in scan' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a simulate -d 'what a fleet of such hosts would do with such a build'
complete -c fleetcc -n '__fleetcc_in simulate' -l hosts -x -d 'SLOTS@SPEED or COUNTxSLOTS@SPEED each. [default: 8@1 4@0.5 2@1 1@0.25]'
complete -c fleetcc -n '__fleetcc_in simulate' -l jobs -x -d 'Of each build. [default: 200; 1<=x<=100000]'
complete -c fleetcc -n '__fleetcc_in simulate' -l mean -x -d 'Seconds of a job. [default: 1.0; x>=0.001]'
complete -c fleetcc -n '__fleetcc_in simulate' -l sigma -x -d 'Spread of their logarithms. [default: 0.8; 0<=x<=3]'
complete -c fleetcc -n '__fleetcc_in simulate' -l cap -x -d 'The longest job. [default: 6.0; x>=0.001]'
complete -c fleetcc -n '__fleetcc_in simulate' -l durations -r -F -d 'Instead: seconds from a .ninja_log, a JSON array, or the last column of lines.'
complete -c fleetcc -n '__fleetcc_in simulate' -s j -x -d 'Of each make; without it: four for each slot. [x>=1]'
complete -c fleetcc -n '__fleetcc_in simulate' -l clients -x -d 'Builds at once. [default: 1; 1<=x<=100]'
complete -c fleetcc -n '__fleetcc_in simulate' -l hidden -x -d 'Somebody else uses a host.'
complete -c fleetcc -n '__fleetcc_in simulate' -l join -x -d 'A host comes later.'
complete -c fleetcc -n '__fleetcc_in simulate' -l leave -x -d 'A host finishes what it has, and goes.'
complete -c fleetcc -n '__fleetcc_in simulate' -l die -x -d 'A host is lost with what it has.'
complete -c fleetcc -n '__fleetcc_in simulate' -l seeds -x -d 'Runs of each policy. [default: 10; 1<=x<=1000]'
complete -c fleetcc -n '__fleetcc_in simulate' -l vary -x -d 'How a job differs between two builds (sigma). [default: 0.1]'
complete -c fleetcc -n '__fleetcc_in simulate' -l latency-ms -x -d 'One way. [default: 0.3; x>=0]'
complete -c fleetcc -n '__fleetcc_in simulate' -l upload-ms -x -d 'Of a job\'s source. [default: 2.0; x>=0]'
complete -c fleetcc -n '__fleetcc_in simulate' -l policies -x -d 'Some of: ideal, distcc-names, distcc-limits, hashing, random, two-choices, shortest-queue, fleetcc, fleetcc-again.'
complete -c fleetcc -n '__fleetcc_in simulate' -l json -d 'Print a JSON array of objects.'
complete -c fleetcc -n '__fleetcc_in simulate' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a stats -d 'this build and today: local jobs by reason, slowest units, bytes'
complete -c fleetcc -n '__fleetcc_in stats' -l build -x -d 'Only this build, by the beginning of its name.'
complete -c fleetcc -n '__fleetcc_in stats' -l today -d 'Only what ended since midnight.'
complete -c fleetcc -n '__fleetcc_in stats' -l all -d 'Everything that the journal has.'
complete -c fleetcc -n '__fleetcc_in stats' -l json -d 'Print a JSON object: figures by title.'
complete -c fleetcc -n '__fleetcc_in stats' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a status -d 'what the agent is doing now'
complete -c fleetcc -n '__fleetcc_in status' -l json -d 'Print the raw answer as JSON.'
complete -c fleetcc -n '__fleetcc_in status' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a top -d 'hosts, slots and jobs, live'
complete -c fleetcc -n '__fleetcc_in top' -l once -d 'Print one picture as text and end, as without a terminal.'
complete -c fleetcc -n '__fleetcc_in top' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a trace -d 'a build as a Chrome or Perfetto trace (-o build.json)'
complete -c fleetcc -n '__fleetcc_in trace' -s o -r -F -d 'Where it goes; - or nothing: standard output. .gz: packed.'
complete -c fleetcc -n '__fleetcc_in trace' -l build -x -d 'Which build, by the beginning of its name; else the last one.'
complete -c fleetcc -n '__fleetcc_in trace' -l all -d 'All jobs that the journal has.'
complete -c fleetcc -n '__fleetcc_in trace' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a verify -d 'compile on hosts and here, and compare every byte (--sample 1% -- make …)'
complete -c fleetcc -n '__fleetcc_in verify' -l verify -x -d 'Compile this share of a build\'s jobs twice: 1%, 0.05. Default: 100%.'
complete -c fleetcc -n '__fleetcc_in verify' -l sample -x -d 'Compile this share of a build\'s jobs twice: 1%, 0.05. Default: 100%.'
complete -c fleetcc -n '__fleetcc_in verify' -l help -d 'Show this message and exit.'
complete -c fleetcc -n __fleetcc_at_start -a web -d 'the same picture in a browser, on loopback'
complete -c fleetcc -n '__fleetcc_in web' -l port -x -d 'Listen there; 0: any free port. [0<=x<=65535]'
complete -c fleetcc -n '__fleetcc_in web' -l no-browser -d 'Only print the address; open no browser.'
complete -c fleetcc -n '__fleetcc_in web' -l help -d 'Show this message and exit.'
