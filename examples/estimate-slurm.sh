#!/bin/bash
# An estimate as a Slurm array: eight shards, each on a node of its own.
#
#   sbatch examples/estimate-slurm.sh worker-power-off --free --runs 100000
#   # when it is over, from the same folder:
#   healsim merge --missing shard-*-of-8.json | sh    # what was killed, once more
#   healsim merge shard-*-of-8.json
#
#SBATCH --job-name=healsim
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=2G
#SBATCH --time=04:00:00
set -euo pipefail

shards=8
file="shard-${SLURM_ARRAY_TASK_ID}-of-${shards}.json"
# Beside the result and renamed at the end: a killed task leaves no half of a file.
"${HEALSIM:-healsim}" estimate "$@" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --shard "${SLURM_ARRAY_TASK_ID}/${shards}" -o json > "${file}.part"
mv "${file}.part" "${file}"
