# Seeds 1 to 3 of labels_distilled.toml and labels_random.toml; both of a seed share one sampling and its labels.
#
#   bash labels.sh            (or: bash labels.sh 1)
set -e
for seed in ${@:-1 2 3}; do
    for kind in distilled random; do
        sed "s/^seed = 1/seed = $seed/; s/\(labels_[a-z]*\)_1\"/\1_$seed\"/" labels_$kind.toml > labels_${kind}_$seed.toml
    done
    if [ ! -e labels_random_$seed ]; then
        nnpal run labels_distilled_$seed.toml --only sample
        cp -r labels_distilled_$seed labels_random_$seed
    fi
    nnpal run labels_distilled_$seed.toml
    nnpal run labels_random_$seed.toml
done
