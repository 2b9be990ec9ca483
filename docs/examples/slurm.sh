#!/usr/bin/env bash
# Compares checkpoints on all GPUs of a Slurm allocation: starts Ray on its nodes and gives the rest to `compare`.
#
#   sbatch --nodes 4 docs/examples/slurm.sh base=/shared/base plus=/shared/plus --data-dir /shared/data --output /shared/run
#
# Where the time is over, or the job is pre-empted, what is computed stays in --output, and the job is queued again.
#SBATCH --job-name=mplus-eval
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# Where mplus-eval[ray] is installed, on a file system that every node has; none where it is on PATH already.
if [ -n "${MPLUS_EVAL_VENV:-}" ]; then
    # shellcheck source=/dev/null
    source "$MPLUS_EVAL_VENV/bin/activate"
fi
export RAY_USAGE_STATS_ENABLED=0

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts%%$'\n'*}
# Several jobs may share a node.
address="$head:$((20000 + SLURM_JOB_ID % 20000))"
step=(srun --ntasks-per-node=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}")
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT

"${step[@]}" --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --port="${address##*:}" --include-dashboard=false --block > /dev/null &
for _ in $(seq 60); do
    if ray health-check --address "$address" > /dev/null 2>&1; then break; fi
    sleep 2
done
others=$((SLURM_JOB_NUM_NODES - 1))
if [ "$others" -gt 0 ]; then
    "${step[@]}" --nodes="$others" --ntasks="$others" --exclude="$head" \
        ray start --address="$address" --block > /dev/null &
fi

# In the background, so that the signal before the end reaches this script while it waits.
mplus-eval compare "$@" --executor ray --address "$address" &
run=$!
stopped=
trap 'stopped=yes; kill -TERM $run' TERM
code=0
wait $run || code=$?
if [ -n "$stopped" ]; then
    # The signal ended the wait, and not yet the run.
    code=0
    wait $run || code=$?
fi
if [ $code -eq 5 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
